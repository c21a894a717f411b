runbook "r" {}

variable "db" {}

stage "one" {
  step "postgres_copy" "main" {
    jobs = 3
  }

  step "shell" "x" {
    retry {
      wait = "1s"
    }
  }
}
