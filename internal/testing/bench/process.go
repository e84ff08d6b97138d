package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/server"
)

// serverCore and clientCore are the cores of the processes, on a machine with two cores or more.
const (
	serverCore = 0
	clientCore = 1
)

// serveFlag makes this program run as the measured process.
const serveFlag = "-serve"

// child is the measured process.
type child struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
	address string
}

// startChild starts the measured process and waits until it serves.
func startChild(setup server.Setup) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{command: exec.Command(program, serveFlag)}
	c.command.Stderr = os.Stderr
	if c.in, err = c.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(out)
	if err := startOn(c.command, serverCore); err != nil {
		return nil, err
	}
	answer, err := c.do(setup)
	c.address = answer.Address
	return c, err
}

// do sends a command or the setup, and waits for the answer.
func (c *child) do(message any) (server.Answer, error) {
	var answer server.Answer
	if err := json.NewEncoder(c.in).Encode(message); err != nil {
		return answer, fmt.Errorf("the measured process cannot be reached: %w", err)
	}
	if err := c.out.Decode(&answer); err != nil {
		return answer, fmt.Errorf("the measured process has exited: %w", err)
	}
	if answer.Error != "" {
		return answer, errors.New(answer.Error)
	}
	return answer, nil
}

// end stops the process and waits for it.
func (c *child) end() error {
	_ = c.in.Close()
	return c.command.Wait()
}

// startOn starts a process of Go with one thread for its goroutines, on one core.
func startOn(command *exec.Cmd, core int) error {
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

// pinSelf binds all threads of this process to one core.
func pinSelf(core int) error {
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
