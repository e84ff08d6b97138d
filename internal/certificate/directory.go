package certificate

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// File names of a mounted CA Secret: its keys.
const (
	certFile = "ca.crt"
	keyFile  = "private.key"
)

// Directory is a mounted CA Secret that may change under a running process.
type Directory struct {
	path string
	now  func() time.Time
	// cert and key are what the last successful Load read.
	cert, key []byte
	lastError string
}

// OpenDirectory watches ca.crt and private.key in a directory. now is the clock.
func OpenDirectory(path string, now func() time.Time) *Directory {
	return &Directory{path: path, now: now}
}

// Load reads the root.
func (d *Directory) Load() (*Root, error) {
	// The kubelet replaces all files of a mounted Secret at once by pointing ..data elsewhere: resolve it once, so that
	// both files are of the same version.
	directory := d.path
	if data, err := filepath.EvalSymlinks(filepath.Join(d.path, "..data")); err == nil {
		directory = data
	}
	cert, err := os.ReadFile(filepath.Join(directory, certFile))
	if err != nil {
		return nil, fmt.Errorf("the root certificate is not readable, is the CA Secret mounted at %s? %w", d.path, err)
	}
	key, err := os.ReadFile(filepath.Join(directory, keyFile))
	if err != nil {
		return nil, fmt.Errorf("the root key is not readable, is the CA Secret mounted at %s? %w", d.path, err)
	}
	root, err := ParseRoot(cert, key, d.now())
	if err != nil {
		return nil, fmt.Errorf("the root in %s is not usable: %w", d.path, err)
	}
	d.cert, d.key = cert, key
	return root, nil
}

// Watch calls changed with every new root until ctx ends. It looks every interval: notifications of a file system do not
// cross every kind of mount, and a root changes rarely. A root that is not usable is told to failed, once for each reason,
// and the last good one stays in use.
func (d *Directory) Watch(ctx context.Context, interval time.Duration, changed func(*Root), failed func(error)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			d.poll(changed, failed)
		}
	}
}

// poll looks once.
func (d *Directory) poll(changed func(*Root), failed func(error)) {
	cert, key := d.cert, d.key
	root, err := d.Load()
	switch {
	case err != nil && err.Error() != d.lastError:
		d.lastError = err.Error()
		failed(err)
	case err == nil:
		d.lastError = ""
		if !bytes.Equal(cert, d.cert) || !bytes.Equal(key, d.key) {
			changed(root)
		}
	}
}
