package guard

import (
	"fmt"
	"io"
	"os"
	"os/exec"
)

// Start starts a process that runs a command of the shell when it is closed, or when this process has ended in any way. It reads what nobody writes until
// then. env is added to the environment of the command, whose result is ignored.
func Start(command string, env ...string) (io.Closer, error) {
	process := exec.Command("sh", "-c", `trap "" INT TERM HUP; read -r _; eval "exec $COMMAND"`)
	process.Env = append(append(os.Environ(), "COMMAND="+command), env...)
	input, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("start a guard: %w", err)
	}
	go func() { _ = process.Wait() }() // nothing may be left to clean up
	return input, nil
}
