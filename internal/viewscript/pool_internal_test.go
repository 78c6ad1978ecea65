package viewscript

import (
	"sync"
	"testing"
)

// Whoever ends a process waits until it has ended, however many they are.
func TestAProcessIsEndedByTwo(t *testing.T) {
	for range 20 {
		p, err := start()
		if err != nil {
			t.Fatal(err)
		}
		var reasons [2]string
		var both sync.WaitGroup
		for i := range reasons {
			both.Go(func() { reasons[i] = p.end() })
		}
		both.Wait()
		if p.cmd.ProcessState == nil || reasons[0] != reasons[1] {
			t.Fatalf("it ended as %v, for %q and %q", p.cmd.ProcessState, reasons[0], reasons[1])
		}
	}
}
