runbook "r" {}

variable "tokyo_db" {
  secret = true
}

locals {
  bucket = "b-${var.region}"
  twice  = local.buckt
}

site "seoul" {
  address = "10.0.0.1"
}

stage "one" {
  step "postgres_copy" "main" {
    from = var.tokio_db
    to   = tokyo_db
    skip = [local.none, site.soul.address, site.seoul.ssh, site.seoul]
  }

  step "shell" "report" {
    run = "echo ${step.postgres_copy.main.row} ${step.postgres_copy.mian.rows} ${step.postgres_copy.main}"
    dir = postgres_copy.main.report
    env = {
      A = each.key
      B = env.HOME
      C = gate.go
      D = stage.one
      E = yes
      F = vars.tokyo_db
      G = step.shell
    }
  }

  step "shell" "self" {
    run = step.shell.self.stdout
    on  = site.tokyo
  }

  step "shell" "site" {
    run = "true"
    on  = "seoul"
  }
}
