package viewscript

import (
	"runtime/debug"
	"syscall"
)

// confine bounds what the process can take from others: memory, and processor time
// that they want.
func confine() error {
	debug.SetMemoryLimit(softMemory)
	debug.SetMaxStack(maxStack)
	// Writable memory, not address space, of which the Go runtime reserves far more than
	// it uses.
	memory := syscall.Rlimit{Cur: hardMemory, Max: hardMemory}
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &memory); err != nil {
		return err
	}
	nothing := syscall.Rlimit{Cur: 0, Max: 0} // can be written to files
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &nothing); err != nil {
		return err
	}
	return syscall.Setpriority(syscall.PRIO_PROCESS, 0, 10)
}
