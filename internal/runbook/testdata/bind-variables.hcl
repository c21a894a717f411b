# bind hosts={"a":1} fast=maybe n=1 extra=5 secret:plain=x db=open
runbook "r" {}

variable "hosts" {
  type = list(string)
}

variable "fast" {
  type = bool
}

variable "n" {
  type = number
}

variable "plain" {}

variable "db" {
  secret = true
}

variable "other" {
  secret = true
}

variable "missing" {}

stage "one" {
  step "shell" "a" { run = "true" }
}
