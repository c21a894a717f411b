runbook "two words" {}

variable "1db" {}

stage "one" {
  step "shell" "a b" {
    run = "true"
  }
}
