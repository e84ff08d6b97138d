package reservation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// File is the lock file. A machine has one cluster, wherever its state folder is.
	File = "/run/lock/osm-local.lock"
	// Variable is the environment variable with the identifier of the reservation that a process inherits.
	Variable = "OSM_LOCAL_RESERVATION"
	// retryInterval is the interval between attempts to reserve the cluster.
	retryInterval = time.Second
)

// Reservation is the exclusive use of the local cluster.
type Reservation struct {
	// ID is the value of Variable for child processes.
	ID   string
	file *os.File
}

// Acquire reserves the cluster. run describes the run for others. It waits while another run has the cluster, and calls waiting once with the
// description of that run. An inherited reservation that is valid is returned as it is.
func Acquire(ctx context.Context, path, run, inherited string, waiting func(holder string)) (*Reservation, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for reported := false; ; reported = true {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return newReservation(file, run)
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		id, holder := readHolder(path)
		if inherited != "" && id == inherited {
			file.Close()
			return &Reservation{ID: id}, nil
		}
		if !reported {
			waiting(holder)
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("the local cluster is in use by %s: %w", holder, ctx.Err())
		case <-time.After(retryInterval):
		}
	}
}

// newReservation writes the holder into the locked file.
func newReservation(file *os.File, run string) (*Reservation, error) {
	id := rand.Text()
	err := file.Truncate(0)
	if err == nil {
		_, err = file.WriteAt([]byte(id+"\n"+run+"\n"), 0)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("write the holder of the local cluster: %w", err)
	}
	return &Reservation{ID: id, file: file}, nil
}

// readHolder returns the identifier and the description of the run that has the cluster.
func readHolder(path string) (id, run string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", "an unknown run"
	}
	id, run, _ = strings.Cut(strings.TrimSpace(string(text)), "\n")
	if run == "" {
		run = "an unknown run"
	}
	return id, run
}

// Release ends the reservation. An inherited one belongs to another process and continues.
func (r *Reservation) Release() {
	if r.file != nil {
		r.file.Close()
	}
}

// Describe describes this process for others: the command, the folder and the start.
func Describe(command string, now time.Time) string {
	dir, err := os.Getwd()
	if err != nil {
		dir = "an unknown folder"
	}
	return fmt.Sprintf("%s (process %d in %s, since %s)", command, os.Getpid(), dir, now.Format(time.TimeOnly))
}
