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

// Serve runs the server until ctx is done; then it lets it serve on for the time to linger, asks it to end and waits
// until it has written everything. The server's own messages go to output.
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
	// The server must not get the signals of a terminal by itself: it would not linger.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the database server: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return fmt.Errorf("the database server ended by itself: %w", err)
	case <-ctx.Done():
	}
	log.Info("stopping: serving on", "for", s.Linger)
	timer := time.NewTimer(s.Linger)
	defer timer.Stop()
	select {
	case err := <-ended:
		return fmt.Errorf("the database server ended while it was to serve on: %w", err)
	case <-timer.C:
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("cannot tell the database server to end: %w", err)
	}
	return <-ended
}
