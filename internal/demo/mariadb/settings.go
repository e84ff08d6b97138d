package mariadb

import (
	"fmt"
	"path/filepath"
	"regexp"
	"time"
)

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
