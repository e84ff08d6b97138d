package launch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"time"
)

// ErrNoEnvoy means that a slot runs no Envoy.
var ErrNoEnvoy = errors.New("the slot runs no Envoy: it is idle")

// queryTimeout bounds a request of a tool. A large configuration takes seconds.
const queryTimeout = 20 * time.Second

// Query sends a request to the admin interface of the Envoy in a slot, and writes the body of the response, also of one that is an error.
func Query(dir, slot, method, path string, out io.Writer) error {
	if method != "GET" && method != "POST" || !strings.HasPrefix(path, "/") || strings.ContainsAny(path, " \r\n") {
		return fmt.Errorf("invalid request %q %q: use GET or POST, and an absolute path", method, path)
	}
	status, err := exchange(call{"unix", state{dir}.path(slot + ".admin"), method, path, queryTimeout}, out)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED):
		return ErrNoEnvoy
	case err != nil:
		return err
	case status != 200:
		return fmt.Errorf("status %d", status)
	}
	return nil
}
