package launch

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// process is a running Envoy.
type process struct {
	epoch   int
	command *exec.Cmd
	admin   admin
	// exited is closed when the process has ended.
	exited chan struct{}
	err    error
}

// endTimeout is how long Envoy may take to end after SIGTERM.
const endTimeout = 5 * time.Second

func startEnvoy(program string, args []string, output io.Writer, epoch int, socket admin) (*process, error) {
	command := exec.Command(program, args...) //nolint:gosec // the program is an argument of the container
	e := &process{epoch: epoch, command: command, admin: socket, exited: make(chan struct{})}
	e.command.Stdout, e.command.Stderr = output, output
	if err := e.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		e.err = e.command.Wait()
		close(e.exited)
	}()
	return e, nil
}

func (e *process) ended() bool {
	select {
	case <-e.exited:
		return true
	default:
		return false
	}
}

// end stops the process and waits for it.
func (e *process) end() {
	if e.ended() {
		return
	}
	_ = e.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.exited:
	case <-time.After(endTimeout):
		_ = e.command.Process.Kill()
		<-e.exited
	}
}

// hotRestartArgs are the options of Envoy for its sockets. Each Envoy has a base ID of its own, so no two share memory: one that is killed while it
// starts marks its memory as being initialized for ever.
func (s state) hotRestartArgs(prefix string, epoch, restart int) []string {
	return []string{
		"--base-id", strconv.Itoa(epoch),
		"--restart-epoch", strconv.Itoa(restart),
		"--socket-path", s.path(prefix),
		"--socket-mode", "0600",
		// The launcher ends the Envoy that drains, and its statistics stay its own.
		"--parent-shutdown-time-s", "1",
		"--skip-hot-restart-parent-stats",
	}
}

// seed creates the shared memory that an Envoy expects of its parent. Only an Envoy that has served leaves it in a usable state.
func (s state) seed(program string, output io.Writer, epoch int) error {
	socket := s.path(seedPrefix + ".admin")
	config := fmt.Sprintf(`{admin: {address: {pipe: {path: %q}}}}`, socket)
	args := append([]string{"--config-yaml", config, "--concurrency", "1", "--log-level", "error"}, s.hotRestartArgs(seedPrefix, epoch, 0)...)
	e, err := startEnvoy(program, args, output, epoch, admin(socket))
	if err != nil {
		return err
	}
	defer e.end()
	for deadline := time.Now().Add(seedTimeout); time.Now().Before(deadline) && !e.ended(); time.Sleep(seedPoll) {
		if e.admin.live() {
			return nil
		}
	}
	return fmt.Errorf("an Envoy without configuration did not start within %s", seedTimeout)
}

const (
	seedTimeout = 20 * time.Second
	seedPoll    = 20 * time.Millisecond
)

// removeTraces removes the shared memory and the sockets of an Envoy that has ended. What remains would fill the volume after many upgrades.
func (s state) removeTraces(memory string, epoch int) {
	_ = os.Remove(fmt.Sprintf("%s/envoy_shared_memory_%d", memory, epoch*baseScale))
	for id := range maxSockets {
		for _, prefix := range []string{hotPrefix, seedPrefix} {
			for _, role := range []string{"parent", "child", "udp_parent", "udp_child"} {
				_ = os.Remove(s.path(fmt.Sprintf("%s_%s_%d", prefix, role, epoch*baseScale+id)))
			}
		}
	}
}

// maxSockets is the number of restart epochs of which the sockets of an Envoy have names: its parent's, its own and its child's.
const maxSockets = 3
