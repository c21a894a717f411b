# One PostgreSQL service moves from an older major version to a newer one in
# one evening. Customers can look at the shop all the time; orders wait behind
# the maintenance page from "close" to "open".

runbook "moving-day" {
  title = "The shop moves to a new PostgreSQL"

  window {
    length = "1h"
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

stage "prepare" { # days before: reads only, repeat it as often as you like
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
}

stage "close" { # from here on the shop takes no orders
  step "announce" "closing" {
    why  = "nobody should learn it from an error"
    url  = var.webhook
    text = "The shop takes no orders from now on, for an hour at most. Looking around goes on."
  }

  step "page_publish" "closed" {
    why = "people and apps are told what happens and when to come back"
    to  = var.page
  }

  step "gateway_weight" "orders_to_page" {
    why     = "orders meet the page, not an error; reading goes on"
    socket  = var.gateway_socket
    config  = var.gateway_config
    backend = "shop_write"
    weights = { page = "100", old = "0", new = "0" }
    after   = [step.page_publish.closed]
  }

  step "postgres_freeze" "old" {
    why      = "an order taken after the copy began would be lost"
    database = var.old_db
    timeout  = "2m"
    after    = [step.gateway_weight.orders_to_page]
  }
}

stage "move" {
  step "postgres_copy" "shop" {
    why     = "everything: rows, large objects, rights, sequences, settings"
    from    = var.old_db
    to      = var.new_db
    pg_dump = var.pg_dump
    jobs    = 2
    timeout = "30m"

    retry {
      attempts = 3
      wait     = "5s"
    }
  }

  step "postgres_verify" "shop" {
    why     = "every row is compared, not only counted"
    from    = var.old_db
    to      = var.new_db
    timeout = "20m"
    after   = [step.postgres_copy.shop]
  }
}

stage "try" { # through the preview address, while the public one shows the page
  step "probe_http" "preview" {
    why    = "the new place must take orders before people try it"
    url    = "${var.preview}/healthz?write=1"
    within = "1m"
    every  = "500ms"
  }

  checklist "before_opening" {
    after = [step.probe_http.preview]

    item "rows" {
      owner = "park"
      text  = "every table has as many rows as in the old place"
    }

    item "rights" {
      owner = "park"
      text  = "columns, indexes, rights, sequences and settings are the same"
    }

    item "look" {
      owner = "kim"
      text  = "a product looks the same in both places"
    }

    item "order" {
      owner = "lee"
      text  = "an order through the preview address is taken and can be read back"
    }
  }

  gate "go" {
    ask        = "All green. Let the customers order in the new place?"
    approvals  = 2
    timeout    = "15m"
    on_timeout = "hold"
    after      = [checklist.before_opening]
  }
}

stage "open" {
  step "gateway_weight" "looks_to_new" {
    why     = "looking changes nothing: if the new place cannot bear it, better to see it here first"
    socket  = var.gateway_socket
    config  = var.gateway_config
    backend = "shop_read"
    weights = { new = "100", old = "0", page = "0" }
  }

  step "gateway_weight" "orders_to_new" {
    why     = "from this moment the new database is the true one"
    socket  = var.gateway_socket
    config  = var.gateway_config
    backend = "shop_write"
    weights = { new = "100", old = "0", page = "0" }
    after   = [step.gateway_weight.looks_to_new]
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
    text  = "The shop takes orders again, in its new place. Thank you for your patience."
    after = [step.probe_http.public]
  }
}

# The same steps against stand-ins, as often as it takes to know how long they
# need: evac drill moving-day.hcl
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
