runbook "r" {
  title = "Nothing"
}
