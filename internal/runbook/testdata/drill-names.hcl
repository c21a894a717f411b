runbook "r" {}

variable "db" {
  secret = true
}

variable "hosts" {
  type = list(string)
}

site "seoul" {
  ssh = ["ops@10.1.0.11"]
  aws {
    region = "ap-northeast-2"
  }
}

stage "one" {
  step "shell" "a" {
    run = "true"
  }
}

drill "d" {
  variables = {
    bd    = "x"
    hosts = "one"
    db    = step.shell.a.stdout
  }
  sites = {
    soul  = {}
    seoul = {
      ssh     = 5
      address = "x"
      aws     = { region = "us-east-1", account = "1" }
    }
  }
}

drill "e" {
  variables = "x"
}
