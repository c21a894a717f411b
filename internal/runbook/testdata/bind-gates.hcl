# bind runner=kim
runbook "r" {}

people {
  kim  = "lead"
  park = "database"
}

stage "one" {
  gate "two" {
    ask       = "Go?"
    approvals = 2
  }

  gate "own" {
    ask    = "Go?"
    people = ["kim"]
  }

  gate "fine" {
    ask = "Go?"
  }
}
