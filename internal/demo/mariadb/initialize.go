package mariadb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// systemFiles returns the SQL files that create the system tables, in order.
func systemFiles() []string {
	return []string{"mysql_system_tables.sql", "mysql_system_tables_data.sql"}
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
	for _, name := range systemFiles() {
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
