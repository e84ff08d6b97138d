package launch

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// adminTimeout bounds a request to the admin interface.
const adminTimeout = 2 * time.Second

// get requests a path over HTTP.
func get(network, address, path string) (status int, body string, err error) {
	var content strings.Builder
	status, err = exchange(call{network, address, "GET", path, adminTimeout}, &content)
	return status, content.String(), err
}

// call is a request over HTTP.
type call struct {
	network, address, method, path string
	timeout                        time.Duration
}

// exchange sends a request and writes the body of the response. It is smaller than net/http, which would take the memory of an idle launcher.
func exchange(c call, out io.Writer) (status int, err error) {
	conn, err := net.DialTimeout(c.network, c.address, c.timeout)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nhost: slot\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", c.method, c.path); err != nil {
		return 0, err
	}
	reader := bufio.NewReader(conn)
	var chunked bool
	for first := true; ; first = false {
		line, err := reader.ReadString('\n')
		if err != nil {
			return 0, err
		}
		line = strings.ToLower(strings.TrimSpace(line))
		if first {
			_, rest, _ := strings.Cut(line, " ")
			status, _ = strconv.Atoi(rest[:min(3, len(rest))])
		}
		if line == "" {
			break
		}
		chunked = chunked || strings.HasPrefix(line, "transfer-encoding:") && strings.Contains(line, "chunked")
	}
	if !chunked {
		_, err := io.Copy(out, reader)
		return status, err
	}
	return status, copyChunks(out, reader)
}

func copyChunks(out io.Writer, reader *bufio.Reader) error {
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
		if err != nil || size == 0 {
			return err
		}
		if _, err := io.CopyN(out, reader, size); err != nil {
			return err
		}
		if _, err := reader.Discard(len("\r\n")); err != nil {
			return err
		}
	}
}

// admin is the path of the socket of an Envoy's admin interface.
type admin string

func (a admin) get(path string) (string, error) {
	status, body, err := get("unix", string(a), path)
	if err == nil && status != 200 {
		return body, fmt.Errorf("%s: status %d", path, status)
	}
	return body, err
}

// live reports whether Envoy accepts connections.
func (a admin) live() bool {
	_, err := a.get("/ready")
	return err == nil
}

// statistics returns the statistics whose names match a regular expression of Envoy.
func (a admin) statistics(filter string) (map[string]int, error) {
	text, err := a.get("/stats?filter=" + filter)
	if err != nil {
		return nil, err
	}
	values := map[string]int{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if number, err := strconv.Atoi(value); err == nil {
			values[name] = number
		}
	}
	return values, nil
}

// connections returns the open connections of clients, of the last time that Envoy wrote its statistics.
func (a admin) connections() (int, error) {
	values, err := a.statistics(`^server\.total_connections$`)
	return values["server.total_connections"], err
}

// use is what clients do with an Envoy.
type use struct {
	// open is the number of connections.
	open int
	// busy is true while it has requests in progress, or connections that are not HTTP.
	busy bool
	// idle is the number of HTTP connections. Clients keep idle ones for as long as they like: only a response of Envoy says that they should close one.
	idle int
}

// use returns what clients do with Envoy. Connections to its admin interface do not count: after a probe or a request for metrics, Envoy itself keeps one.
func (a admin) use() (use, error) {
	values, err := a.statistics("^" + drainPattern + "$")
	if err != nil {
		return use{}, err
	}
	open, err := a.connections()
	found, other := use{open: open}, open
	for name, value := range values {
		isHTTP := strings.HasPrefix(name, "http.")
		switch {
		case strings.HasPrefix(name, "http.admin."): // the connections of its listener are those of the admin interface
		case strings.HasSuffix(name, ".downstream_rq_active"):
			found.busy = found.busy || value > 0
		case strings.HasSuffix(name, ".downstream_cx_active"):
			other -= value
			if isHTTP {
				found.idle += value
			}
		}
	}
	found.busy = found.busy || other > 0
	return found, err
}

// connected reports whether Envoy has a stream to the control plane.
func (a admin) connected() bool {
	values, err := a.statistics(`^control_plane\.connected_state$`)
	return err == nil && values["control_plane.connected_state"] > 0
}

// openListeners names the listeners with open connections.
func (a admin) openListeners() string {
	values, err := a.statistics(`^listener\..*downstream_cx_active$`)
	if err != nil {
		return err.Error()
	}
	var names []string
	for name, value := range values {
		name, isListener := strings.CutSuffix(strings.TrimPrefix(name, "listener."), ".downstream_cx_active")
		if value > 0 && isListener && !strings.HasPrefix(name, "admin.") && !strings.Contains(name, ".worker_") {
			names = append(names, fmt.Sprintf("%s: %d", name, value))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// missing returns what an Envoy waits for before it can serve, apart from the gate; empty if its configuration is complete and nothing of it was rejected.
func (a admin) missing() string {
	text, err := a.get("/init_dump")
	if err != nil {
		return "its admin interface: " + err.Error()
	}
	targets, err := unreadyTargets(text)
	if err != nil {
		return "a list of what it waits for: " + err.Error()
	}
	gated := false
	var others []string
	for _, target := range targets {
		if strings.Contains(target, gateName) {
			gated = true
		} else {
			others = append(others, target)
		}
	}
	switch {
	case len(others) > 0:
		return strings.Join(others, ", ")
	case !gated:
		return "its first clusters"
	}
	return a.unconfigured()
}

// unconfigured returns what the statistics of Envoy object to; empty if it has a configuration, and rejected nothing.
func (a admin) unconfigured() string {
	values, err := a.statistics(`^(listener_manager|cluster_manager|control_plane)\.`)
	if err != nil {
		return "its statistics: " + err.Error()
	}
	if values["listener_manager.lds.update_success"] == 0 || values["control_plane.connected_state"] == 0 {
		return "the control plane"
	}
	for _, name := range []string{"cluster_manager.warming_clusters", "listener_manager.total_listeners_warming"} {
		if values[name] > 0 {
			return fmt.Sprintf("%s: %d", name, values[name])
		}
	}
	for _, name := range []string{"cluster_manager.cds.update_rejected", "listener_manager.lds.update_rejected", "listener_manager.listener_create_failure"} {
		if values[name] > 0 {
			return fmt.Sprintf("a configuration that it accepts (%s: %d)", name, values[name])
		}
	}
	// The control plane sends this cluster after the sidecar has rejected anything.
	unready, err := a.get("/config_dump?resource=dynamic_active_clusters&name_regex=^" + names.UnreadyCluster + "$")
	switch {
	case err != nil:
		return "its configuration: " + err.Error()
	case strings.Contains(unready, names.UnreadyCluster):
		return "a configuration that it accepts (the control plane sent " + names.UnreadyCluster + ")"
	}
	return ""
}

// unreadyTargets reads the answer of Envoy's /init_dump.
func unreadyTargets(text string) ([]string, error) {
	var dump struct {
		Dumps []struct {
			Names []string `json:"target_names"`
		} `json:"unready_targets_dumps"`
	}
	if err := json.Unmarshal([]byte(text), &dump); err != nil {
		return nil, err
	}
	var names []string
	for _, d := range dump.Dumps {
		names = append(names, d.Names...)
	}
	return names, nil
}

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
