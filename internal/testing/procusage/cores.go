package procusage

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// ServerCore and ClientCore are the cores of a measured process and of the benchmark, on a machine with two cores or more.
const (
	ServerCore = 0
	ClientCore = 1
)

// StartOn starts a process of Go with one thread for its goroutines, on one core.
func StartOn(command *exec.Cmd, core int) error {
	command.Env = append(command.Environ(), "GOMAXPROCS=1")
	started := make(chan error)
	go func() {
		// A process inherits the cores of the thread that starts it. The thread ends with this goroutine.
		runtime.LockOSThread()
		if err := pin(0, core); err != nil {
			started <- err
			return
		}
		started <- command.Start()
	}()
	return <-started
}

// pin binds a thread to one core; 0 is the calling thread. It has no effect on a machine with one core.
func pin(thread, core int) error {
	if runtime.NumCPU() < 2 {
		return nil
	}
	var set unix.CPUSet
	set.Set(core)
	return unix.SchedSetaffinity(thread, &set)
}

// StayOn binds all threads of this process to one core.
func StayOn(core int) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		if err := pin(id, core); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("this process cannot be kept on one core: %w", err)
		}
	}
	return nil
}
