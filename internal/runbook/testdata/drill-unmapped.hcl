# bind drill=small secret:tokyo_db=postgres://tokyo/app
runbook "r" {}

variable "tokyo_db" {
  secret = true
}

variable "seoul_db" {
  secret = true
}

variable "bucket" {
  default = "live-media"
}

locals {
  media = "s3://${var.bucket}"
  fixed = "s3://fixed"
}

site "seoul" {
  ssh     = ["ops@10.1.0.11"]
  address = "10.1.0.11"
}

stage "one" {
  step "postgres_copy" "main" {
    from = var.tokyo_db
    to   = var.seoul_db
  }

  step "objects_sync" "literal" {
    from = "s3://tokyo-media"
    to   = "s3://seoul-media"
  }

  step "objects_sync" "local" {
    from = "s3://tokyo-media"
    to   = local.media
  }

  step "objects_sync" "fixed" {
    for_each = ["a", "b"]
    from     = "s3://tokyo-media"
    to       = "${local.fixed}/${each.key}"
  }

  step "dns_switch" "site" {
    name = site.seoul.address
    to   = "1.2.3.4"
    on   = site.seoul
  }

  step "shell" "skipped" {
    run = "rm -rf /live"
  }

  step "shell" "rehearsed" {
    run   = "deploy live"
    drill = "deploy stand-in ${step.shell.skipped.stdout}"
    undo  = step.shell.skipped.stdout
  }

  step "page_publish" "output" {
    to = step.shell.rehearsed.stdout
  }
}

drill "small" {
  variables = {
    tokyo_db = "postgres://stand-in/tokyo"
  }
}
