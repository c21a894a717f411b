# The night of moving-day.hcl with seconds instead of minutes: the new database
# is copied days before and follows the old one, so that the night has only to
# bring over what is still on its way. Whatever is written to the new database
# then comes home to the old one, until you end that: `evac undo --to close`
# takes the customers back with nothing lost.

runbook "moving-day-follow" {
  title = "The shop moves to a new PostgreSQL in seconds"

  window {
    length = "10m"
    opens  = stage.close
    closes = stage.open
  }
}

variable "old_db" {
  secret = true
  doc    = "connection string of the database that moves, as its owner or a superuser"
}

variable "new_db" {
  secret = true
  doc    = "connection string of the empty database that it moves to"
}

variable "webhook" {
  secret = true
  doc    = "address of the chat webhook that announcements go to"
}

variable "gateway_socket" {
  doc = "HAProxy's stats socket"
}

variable "gateway_config" {
  doc = "the configuration that HAProxy runs with"
}

variable "page" {
  doc = "directory that the maintenance page is served from"
}

variable "public" {
  doc = "address that customers use"
}

variable "preview" {
  doc = "address that leads to the new place before it is open"
}

variable "pg_dump" {
  default = ""
  doc     = "directory of a pg_dump that knows the old server; empty looks for one"
}

variable "rehearsal_old_db" {
  secret  = true
  default = ""
  doc     = "in a drill: a copy of the old database"
}

variable "rehearsal_new_db" {
  secret  = true
  default = ""
  doc     = "in a drill: an empty database of the new version"
}

variable "rehearsal_webhook" {
  secret  = true
  default = ""
  doc     = "in a drill: a webhook that only the team reads"
}

variable "rehearsal" {
  type    = map(string)
  default = {}
  doc     = "in a drill: gateway_socket, gateway_config, page, public and preview of the stand-ins"
}

people {
  kim  = "lead"
  park = "database"
  lee  = "gateway"
}

stage "prepare" { # days before: customers order and notice nothing
  step "probe_http" "shop" {
    why   = "do not move what is ill already"
    url   = "${var.public}/healthz?write=1"
    times = 3
    every = "200ms"
  }

  step "probe_tcp" "preview" {
    why     = "the way to the new place must be open before anything else is closed"
    address = trimprefix(var.preview, "http://")
    within  = "10s"
  }

  step "postgres_follow" "shop" {
    why      = "everything is copied while customers order, and what they order follows within moments"
    from     = var.old_db
    to       = var.new_db
    pg_dump  = var.pg_dump
    jobs     = 2
    identity = "full" # some small tables have no key
    after    = [step.probe_http.shop, step.probe_tcp.preview]
  }

  step "postgres_verify" "following" {
    why   = "every row is compared while there is time; rows that are on their way are looked at again"
    from  = var.old_db
    to    = var.new_db
    live  = true
    after = [step.postgres_follow.shop]
  }
}

stage "try" { # whatever takes people's time comes before the window
  checklist "before_closing" {
    item "rights" {
      owner = "park"
      text  = "columns, indexes, rights and settings are the same"
    }

    item "look" {
      owner = "kim"
      text  = "a product looks the same in both places"
    }
  }

  step "gateway_weight" "looks_to_new" {
    why     = "if the new place cannot bear those who look, better to see it before it must bear those who order; what it shows is moments old"
    socket  = var.gateway_socket
    config  = var.gateway_config
    backend = "shop_read"
    weights = { new = "100", old = "0", page = "0" }
    after   = [checklist.before_closing]
  }

  gate "go" {
    ask        = "All green, and the new database follows. Close for some seconds?"
    approvals  = 2
    timeout    = "15m"
    on_timeout = "hold"
    after      = [step.gateway_weight.looks_to_new]
  }
}

stage "close" { # only from the gateway on does the shop take no orders
  step "announce" "closing" {
    why  = "nobody should learn it from an error"
    url  = var.webhook
    text = "The shop takes no orders for some seconds. Looking around goes on."
  }

  step "page_publish" "closed" {
    why = "people and apps are told what happens and when to come back"
    to  = var.page
  }

  step "gateway_weight" "orders_to_page" {
    why     = "orders meet the page, not an error"
    socket  = var.gateway_socket
    config  = var.gateway_config
    backend = "shop_write"
    weights = { page = "100", old = "0", new = "0" }
    after   = [step.announce.closing, step.page_publish.closed]
  }

  step "postgres_freeze" "old" {
    why      = "an order that the old database took after this would be lost"
    database = var.old_db
    settle   = "500ms" # the switch proves it once more, and so does verify
    timeout  = "1m"
    after    = [step.gateway_weight.orders_to_page]
  }
}

stage "move" {
  step "postgres_switch" "shop" {
    why     = "the rest of the log to its exact end, sequences, the way home; then the new database is open"
    from    = var.old_db
    to      = var.new_db
    timeout = "5m"
  }
}

stage "open" {
  step "gateway_weight" "orders_to_new" {
    why     = "from this moment the new database is the true one"
    socket  = var.gateway_socket
    config  = var.gateway_config
    backend = "shop_write"
    weights = { new = "100", old = "0", page = "0" }
  }

  step "probe_http" "public" {
    why    = "the customers' way, not ours"
    url    = "${var.public}/healthz?write=1"
    within = "30s"
    times  = 3
    every  = "200ms"
    after  = [step.gateway_weight.orders_to_new]
  }

  step "announce" "open" {
    why   = "the people who were told of the closing are told of its end"
    url   = var.webhook
    text  = "The shop takes orders again, in its new place."
    after = [step.probe_http.public]
  }
}

stage "after" { # customers order in the new place, and the old one follows
  step "postgres_verify" "home" {
    why  = "every row once more, with all that was ordered since: the way home works"
    from = var.new_db
    to   = var.old_db
    live = true
  }
}

# The same steps against stand-ins, as often as it takes to know how long they
# need: evac drill moving-day-follow.hcl
drill "rehearsal" {
  variables = {
    old_db         = var.rehearsal_old_db
    new_db         = var.rehearsal_new_db
    webhook        = var.rehearsal_webhook
    gateway_socket = lookup(var.rehearsal, "gateway_socket", "")
    gateway_config = lookup(var.rehearsal, "gateway_config", "")
    page           = lookup(var.rehearsal, "page", "")
    public         = lookup(var.rehearsal, "public", "")
    preview        = lookup(var.rehearsal, "preview", "")
  }
}
