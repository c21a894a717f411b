runbook "r" {
  title = "x"
}

variable "db_password" {
  secret = true
}

variable "list" {
  type   = list(string)
  secret = true
}

locals {
  url = "postgres://app:${var.db_password}@db/app"
}

site "a" {
  address = var.db_password
}

stage "one" {
  step "shell" "load" {
    why = "with ${var.db_password}"
    run = "psql ${local.url} -f load.sql"
    dir = var.db_password
  }

  step "page_publish" "p" {
    to = upper(var.db_password)
  }

  step "shell" "each" {
    run      = "true"
    for_each = [var.db_password]
    when     = var.db_password != ""
  }

  step "shell" "right" {
    run = "psql -f load.sql"
    env = { PGPASSWORD = var.db_password, URL = local.url, PLAIN = "x" }
  }
}
