package mariadb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
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

// Initialize creates the database if the directory does not contain one.
func Initialize(ctx context.Context, s Settings) error {
	_, err := os.Stat(s.data())
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.RemoveAll(s.fresh()); err != nil {
		return fmt.Errorf("cannot remove an incomplete initialization: %w", err)
	}
	if err := os.MkdirAll(s.fresh(), 0o700); err != nil {
		return fmt.Errorf("cannot create the directory of the database; is the volume writable for this user? %w", err)
	}
	script, err := s.script()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, s.Server, append(s.common(s.fresh()), "--bootstrap")...)
	cmd.Stdin = script
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the server could not initialize its database: %w\n%s", err, log.Bytes())
	}
	return os.Rename(s.fresh(), s.data())
}

// script returns the statements that initialize a server: the system tables, then the demo's database and user.
func (s Settings) script() (io.Reader, error) {
	parts := []io.Reader{strings.NewReader("CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n")}
	for _, name := range []string{"mysql_system_tables.sql", "mysql_system_tables_data.sql"} {
		raw, err := os.ReadFile(filepath.Join(s.Share, name))
		if err != nil {
			return nil, fmt.Errorf("the system tables cannot be created: %w", err)
		}
		parts = append(parts, bytes.NewReader(raw), strings.NewReader("\n"))
	}
	// The default accounts of a new server have no passwords. A sidecar delivers connections of other pods from the
	// loopback address, so accounts limited to localhost would accept them.
	own := fmt.Sprintf(`DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';
FLUSH PRIVILEGES;
CREATE DATABASE IF NOT EXISTS %[1]s;
CREATE USER '%[2]s'@'%%' IDENTIFIED BY '%[3]s';
GRANT ALL ON %[1]s.* TO '%[2]s'@'%%';
`, "`"+s.Database+"`", s.User, s.Password)
	return io.MultiReader(append(parts, strings.NewReader(own))...), nil
}

// Settings configures the server's files and its accounts.
type Settings struct {
	// Server is the path of the mariadbd program.
	Server string
	// Share is the directory with the server's SQL files and messages.
	Share string
	// Dir is the directory of all data that the server writes.
	Dir string
	// Port is the port to listen on, on IPv4 and IPv6.
	Port int
	// Linger is how long the server runs after a signal to stop.
	Linger time.Duration
	// Database is created if it does not exist. User with Password has all privileges for it, from any host.
	Database, User, Password string
}

// FromEnvironment returns the settings of the demo's image.
func FromEnvironment(getenv func(string) string) (Settings, error) {
	s := Settings{
		Server:   "/usr/sbin/mariadbd",
		Share:    "/usr/share/mysql",
		Dir:      "/var/lib/mysql",
		Port:     3306,
		Linger:   5 * time.Second,
		Database: getenv("MYSQL_DATABASE"),
		User:     getenv("MYSQL_USER"),
		Password: getenv("MYSQL_PASSWORD"),
	}
	return s, s.validate()
}

// plain limits names and passwords, because they become part of SQL statements.
var plain = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

func (s Settings) validate() error {
	for name, value := range map[string]string{"MYSQL_DATABASE": s.Database, "MYSQL_USER": s.User, "MYSQL_PASSWORD": s.Password} {
		if !plain.MatchString(value) {
			return fmt.Errorf("the environment variable %s must be set to 1 to 64 letters, digits, dots, dashes or underscores", name)
		}
	}
	return nil
}

// data is the directory of an initialized database.
func (s Settings) data() string { return filepath.Join(s.Dir, "data") }

// fresh is the directory in which a database is initialized.
func (s Settings) fresh() string { return filepath.Join(s.Dir, "initialising") }

// common returns the server's arguments for both initializing and serving: few files, little memory, no configuration
// files, and no kernel interfaces that a container profile may deny.
func (s Settings) common(data string) []string {
	return []string{
		"--no-defaults",
		"--datadir=" + data,
		"--tmpdir=" + s.Dir,
		"--lc-messages-dir=" + s.Share,
		"--character-sets-dir=" + filepath.Join(s.Share, "charsets"),
		"--innodb-use-native-aio=OFF",
		"--innodb-buffer-pool-size=8M",
		"--innodb-log-file-size=4M",
		"--key-buffer-size=1M",
		"--aria-pagecache-buffer-size=1M",
		"--performance-schema=OFF",
	}
}
