package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/internal/build"
	"github.com/openservicemesh/osm-operator/hack/internal/cgroup"
	"github.com/openservicemesh/osm-operator/hack/internal/network"
	"github.com/openservicemesh/osm-operator/hack/internal/process"
)

// DefaultDir is the folder of all machines.
const DefaultDir = "/var/lib/osm-machines"

// HostName names the host in Connect, Partition and Heal.
const HostName = "host"

// namePattern limits names: paths of sockets below the folder of a machine must be short.
var namePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,9}$`)

// Host is the machine on which the others are simulated.
type Host struct {
	// Dir is the folder of all machines.
	Dir string
	// Hierarchies are the control group trees.
	Hierarchies []cgroup.Hierarchy
	// Proc identifies processes.
	Proc process.Procfs
	// Sysctls are the kernel settings that all machines share.
	Sysctls network.Sysctls
}

// New returns the host with the machines in a folder. hostRecord is the record of kernel settings of the host's cluster.
func New(dir, hostRecord string) (*Host, error) {
	hierarchies, err := cgroup.Hierarchies()
	if err != nil {
		return nil, err
	}
	return &Host{
		Dir: dir, Hierarchies: hierarchies, Proc: "/proc",
		Sysctls: network.Sysctls{Root: "/proc/sys", Record: Record(dir), Other: hostRecord},
	}, nil
}

// lockFile prevents two programs from starting or stopping machines at the same time.
const lockFile = "/run/lock/osm-machines.lock"

// Lock waits for other programs that start or stop machines, and makes them wait until unlock is called.
func Lock() (unlock func(), err error) { return build.Lock(lockFile) }

// Record returns the file with the kernel settings from before the first machine.
func Record(dir string) string { return filepath.Join(dir, "sysctls.json") }

// Machine is a simulated machine.
type Machine struct {
	Name string
	// Number selects its addresses, from 1 to network.MaxNumber.
	Number int
	// Pid is its first process, as seen from the host, or 0 if it does not run.
	Pid int

	dir string
}

// State returns the folder for the state of a cluster on the machine.
func (m Machine) State() string { return filepath.Join(m.dir, "state") }

func (m Machine) join(name string) string { return filepath.Join(m.dir, name) }

// privateFolders maps folders of a machine that it does not share with the host to their content.
func (m Machine) privateFolders() map[string]string {
	return map[string]string{
		"/var/lib/cni": m.join("cni"), "/var/lib/kubelet": m.join("kubelet"), "/var/log": m.join("log"), "/run": m.join("run"),
	}
}

// groupPrefix begins the names of control groups.
const groupPrefix = "osm-machine-"

func (h *Host) group(name string) cgroup.Group {
	return cgroup.Group{Name: groupPrefix + name, Hierarchies: h.Hierarchies}
}

// List returns all machines by name, also those that do not run any more.
func (h *Host) List() ([]Machine, error) {
	entries, err := os.ReadDir(h.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []Machine
	for _, entry := range entries {
		if entry.IsDir() {
			all = append(all, h.read(entry.Name()))
		}
	}
	return all, nil
}

// Find returns the running machine of a name.
func (h *Host) Find(name string) (Machine, error) {
	m := h.read(name)
	switch {
	case m.Pid != 0:
		return m, nil
	case m.Number == 0:
		return m, fmt.Errorf("there is no machine %q: start it with `cluster machine start %s`", name, name)
	}
	return m, fmt.Errorf("machine %q does not run any more: `cluster machine start %s` replaces it by a new one", name, name)
}

// read returns what the folder of a machine says. Number is 0 if there is no readable folder.
func (h *Host) read(name string) Machine {
	m := Machine{Name: name, dir: filepath.Join(h.Dir, name)}
	if text, err := os.ReadFile(m.join("number")); err == nil {
		m.Number, _ = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	if text, err := os.ReadFile(m.join("pid")); err == nil {
		if id, err := process.ParseIdentity(string(text)); err == nil && h.Proc.Alive(id) {
			m.Pid = id.Pid
		}
	}
	return m
}

// freeNumber returns the smallest number that no machine has.
func freeNumber(all []Machine) (int, error) {
	for n := 1; n <= network.MaxNumber; n++ {
		if !slices.ContainsFunc(all, func(m Machine) bool { return m.Number == n }) {
			return n, nil
		}
	}
	return 0, fmt.Errorf("there are %d machines already; stop one of them", network.MaxNumber)
}

// Enter moves this process into the control groups of a machine, and returns the arguments with which nsenter runs a command there, in the present folder.
func (h *Host) Enter(m Machine, command []string) ([]string, error) {
	if err := h.group(m.Name).Add(os.Getpid()); err != nil {
		return nil, err
	}
	folder, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	return enterArguments(m, folder, command), nil
}

func enterArguments(m Machine, folder string, command []string) []string {
	return append([]string{"nsenter", "--target", strconv.Itoa(m.Pid), "--all", "--wdns=" + folder, "--"}, command...)
}
