runbook "r" {
  title = "·±ºÏ"
}
