//go:build !linux

package viewscript

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// confine bounds memory as far as the process can do so itself: it looks how much it has
// a hundred times a second, and dies if that is too much.
func confine() error {
	debug.SetMemoryLimit(softMemory)
	debug.SetMaxStack(maxStack)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for range time.NewTicker(10 * time.Millisecond).C {
			if metrics.Read(sample); sample[0].Value.Uint64() > hardMemory {
				os.Exit(outOfMemory) //nolint:forbidigo // there is no other way to stop what a script is at
			}
		}
	}()
	return nil
}
