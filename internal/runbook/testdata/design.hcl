runbook "tokyo-to-seoul" {
  title = "Tokyo → Seoul"
  window {
    length = "4h"
    opens  = stage.close
    closes = stage.open
  }
}

variable "tokyo_db" { secret = true }
variable "seoul_db" { secret = true }

people {
  kim  = "lead"
  park = "database"
  lee  = "gateway"
}

site "seoul" {
  ssh = ["ops@10.1.0.11"]
  aws {
    region  = "ap-northeast-2"
    account = "222222222222"
  }
}

stage "prepare" { # days before: safe, repeatable
  step "objects_sync" "media" {
    why  = "most of the 2 TB travels before the window"
    from = "s3://tokyo-media"
    to   = "s3://seoul-media"
  }
}

stage "close" { # the page is up and the domain points to it before writes stop
  step "page_publish" "down" {
    to = "/srv/down"
  }
  step "dns_switch" "page" {
    name  = "www.example.com"
    to    = "203.0.113.9"
    after = [step.page_publish.down]
  }
  step "postgres_freeze" "old" {
    database = var.tokyo_db
    after    = [step.dns_switch.page]
  }
}

stage "move" {
  step "objects_sync" "last" {
    from = "s3://tokyo-media"
    to   = "s3://seoul-media"
  }
  step "objects_verify" "media" {
    from  = "s3://tokyo-media"
    to    = "s3://seoul-media"
    after = [step.objects_sync.last]
  }
  step "postgres_copy" "main" {
    from = var.tokyo_db
    to   = var.seoul_db
  }
  step "postgres_verify" "main" {
    from  = var.tokyo_db
    to    = var.seoul_db
    after = [step.postgres_copy.main]
  }
}

stage "try" { # through the preview address, while the public name shows the page
  checklist "before-opening" {
    item "login" { owner = "kim" }
    item "payout" { owner = "park" }
  }
  gate "go" {
    ask        = "All green. Switch the domain?"
    approvals  = 2
    on_timeout = "hold"
    after      = [checklist.before-opening]
  }
}

stage "open" {
  step "dns_switch" "seoul" {
    name = "www.example.com"
    to   = "198.51.100.7"
  }
}
