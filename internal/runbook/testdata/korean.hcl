runbook "이사" {
  title = "도쿄 → 서울"
}

stage "준비" {
  step "shell" "확인" {
    run = "echo 안녕하세요 ${var.없음} 끝"
  }
}
