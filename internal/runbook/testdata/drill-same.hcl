# bind drill=same secret:tokyo_db=postgres://kim:pw@tokyo/app secret:seoul_db=postgres://park:pw@seoul:5432/app
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

  step "objects_verify" "literal" {
    from = "s3://tokyo-media"
    to   = var.bucket
  }

  step "objects_sync" "local" {
    from = "s3://tokyo-media"
    to   = local.media
  }

  step "objects_sync" "fixed" {
    for_each = ["a", "b"]
    from     = "s3://tokyo-media"
    to       = "${local.media}/${each.key}"
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

drill "same" {
  variables = {
    seoul_db = "postgres://stand-in@seoul/app"
    bucket   = "live-media"
  }
  sites = {
    seoul = { address = "10.1.0.11" }
  }
}
