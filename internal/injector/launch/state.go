package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// record says which slot serves. Its launcher writes it.
type record struct {
	slot  string
	image Image
	// epoch is the number of the Envoy; restart is 1 if it took over, and 0 if it opened its own sockets.
	epoch, restart int
	// ready is true once the Envoy accepts connections.
	ready bool
}

// state is the directory that both launchers share. Its files are replaced as a whole, so a reader never sees half of one.
type state struct{ dir string }

const (
	servingFile = "serving"
	epochFile   = "epoch"
)

func (s state) path(name string) string { return filepath.Join(s.dir, name) }

// write replaces a file.
func (s state) write(name, content string) error {
	temporary := s.path("." + name + ".new")
	if err := os.WriteFile(temporary, []byte(content), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, s.path(name))
}

// read returns the content of a file; it is empty if the file is missing.
func (s state) read(name string) (string, error) {
	content, err := os.ReadFile(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(content)), err
}

// serving returns the record of the serving slot. It is zero before the first start, and if the file is damaged: the first slot then starts as in a new pod.
func (s state) serving() (record, error) {
	content, err := s.read(servingFile)
	fields := strings.Fields(content)
	if err != nil || len(fields) != 6 {
		return record{}, err
	}
	r := record{slot: fields[0], image: Image{Build: fields[1], HotRestart: fields[2]}, ready: fields[5] == "ready"}
	var first, second error
	r.epoch, first = strconv.Atoi(fields[3])
	r.restart, second = strconv.Atoi(fields[4])
	if first != nil || second != nil {
		return record{}, nil
	}
	return r, nil
}

func (s state) setServing(r record) error {
	ready := "starting"
	if r.ready {
		ready = "ready"
	}
	return s.write(servingFile, fmt.Sprintln(r.slot, r.image.Build, r.image.HotRestart, r.epoch, r.restart, ready))
}

// nextEpoch returns a number that no Envoy of the pod had, and records that it is of the given slot.
func (s state) nextEpoch(slot string) (int, error) {
	unlock, err := s.lock("state")
	if err != nil {
		return 0, err
	}
	defer unlock()
	content, err := s.read(epochFile)
	if err != nil {
		return 0, err
	}
	last, _ := strconv.Atoi(content) // an empty file
	number := strconv.Itoa(last+1) + "\n"
	return last + 1, errors.Join(s.write(epochFile, number), s.write(slot+"."+epochFile, number))
}

// lastEpoch is the number of the last Envoy of a slot, and 0 before the first.
func (s state) lastEpoch(slot string) (int, error) {
	content, err := s.read(slot + "." + epochFile)
	last, _ := strconv.Atoi(content) // an empty file
	return last, err
}

// claim makes a slot the serving one unless the record has changed since it was read. It reports whether it did.
func (s state) claim(read, next record) (bool, error) {
	unlock, err := s.lock("state")
	if err != nil {
		return false, err
	}
	defer unlock()
	now, err := s.serving()
	if err != nil || now != read {
		return false, err
	}
	return true, s.setServing(next)
}

// lock waits for a lock. The kernel releases it when the process ends.
func (s state) lock(name string) (unlock func(), err error) {
	file, err := os.OpenFile(s.path(name+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { _ = file.Close() }, nil
}

// present reports whether a launcher runs in a slot: it holds the lock of the slot.
func (s state) present(slot string) bool {
	file, err := os.OpenFile(s.path(slot+".lock"), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	return errors.Is(syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// lastBuild is the build that a slot had when it last decided about taking over.
func (s state) lastBuild(slot string) (string, error) { return s.read(slot + ".build") }

func (s state) setLastBuild(slot, build string) error { return s.write(slot+".build", build+"\n") }

// Names of sockets, which Envoy derives from its options.
const (
	hotPrefix  = "hot"
	seedPrefix = "seed"
	baseScale  = 10
)

// parentSocket is where the Envoy of a record answers a child.
func (s state) parentSocket(r record) string { return s.hotSocket("parent", r.epoch, r.restart) }

// childSocket is where it sends its answers.
func (s state) childSocket(r record) string { return s.hotSocket("child", r.epoch, r.restart+1) }

func (s state) hotSocket(role string, epoch, restart int) string {
	return s.path(fmt.Sprintf("%s_%s_%d", hotPrefix, role, epoch*baseScale+restart))
}
