package mariadb

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Serve runs the server until ctx is done. It then lets the server run for the linger time, terminates it, and waits until
// all data is written. The server's messages go to output.
func Serve(ctx context.Context, s Settings, output io.Writer, log *slog.Logger) error {
	args := append(s.common(s.data()),
		"--bind-address=*",
		"--port="+strconv.Itoa(s.Port),
		"--skip-name-resolve",
		"--socket="+filepath.Join(s.Dir, "server.sock"),
		"--pid-file="+filepath.Join(s.Dir, "server.pid"),
		"--max-connections=50",
	)
	cmd := exec.Command(s.Server, args...)
	cmd.Stdout, cmd.Stderr = output, output
	// The server must not receive the signals of a terminal directly, which would skip the linger time.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the database server: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return fmt.Errorf("the database server exited unexpectedly: %w", err)
	case <-ctx.Done():
	}
	log.Info("stopping: still serving", "for", s.Linger)
	timer := time.NewTimer(s.Linger)
	defer timer.Stop()
	select {
	case err := <-ended:
		return fmt.Errorf("the database server exited during the linger time: %w", err)
	case <-timer.C:
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("cannot terminate the database server: %w", err)
	}
	return <-ended
}
