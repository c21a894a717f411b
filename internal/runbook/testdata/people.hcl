runbook "r" {}

people {
  kim  = "lead"
  park = "database"
  lee  = 5
}

stage "one" {
  checklist "list" {
    item "login" { owner = "kimm" }
    item "payout" { text = "somebody" }
  }

  checklist "empty" {
  }

  gate "go" {
    ask        = "?"
    people     = ["kim", "prak", "kim"]
    approvals  = "two"
    on_timeout = "undoo"
  }

  gate "nobody" {
    people = []
  }
}
