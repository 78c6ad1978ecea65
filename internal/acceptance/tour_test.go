package acceptance

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// docs/tour.md does what it says: every line of its shell blocks succeeds against
// the demo, as a reader would run them.
func TestTour(t *testing.T) {
	page, err := os.ReadFile("../../docs/tour.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	script.WriteString("set -euo pipefail\n")
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllSubmatch(page, -1) {
		script.Write(block[1])
	}
	s := &server{t: t, log: &output{}}
	data := t.TempDir()
	s.cmd = exec.Command(binary, "demo", "--listen", "127.0.0.1:0", "--data", data, "--chats", "25")
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	s.until("the demo says where the tour begins", func() bool { return strings.Contains(s.log.String(), "tour.env") })
	env := filepath.Join(data, "tour.env")

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", strings.ReplaceAll(script.String(), "source /path/to/tour.env", "source "+env))
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		text := out.String()
		t.Fatalf("the tour ends with %v; the last it printed:\n%s", err, text[max(0, len(text)-3000):])
	}
	s.stop()
}
