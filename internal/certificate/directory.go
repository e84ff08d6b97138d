package certificate

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// File names in a mounted CA Secret, equal to its keys.
const (
	certFile = "ca.crt"
	keyFile  = "private.key"
)

// Directory is a mounted CA Secret that can change while the process runs.
type Directory struct {
	path string
	now  func() time.Time
	// cert and key are the content that the last successful Load read.
	cert, key []byte
	lastError string
}

// OpenDirectory returns the Directory with ca.crt and private.key in path. now is the clock.
func OpenDirectory(path string, now func() time.Time) *Directory {
	return &Directory{path: path, now: now}
}

// Load reads the root certificate and key.
func (d *Directory) Load() (*Root, error) {
	// The kubelet updates a mounted Secret atomically by replacing the symlink ..data. It is resolved once, so that both
	// files are of the same version.
	directory := d.path
	if data, err := filepath.EvalSymlinks(filepath.Join(d.path, "..data")); err == nil {
		directory = data
	}
	cert, err := os.ReadFile(filepath.Join(directory, certFile))
	if err != nil {
		return nil, fmt.Errorf("the root certificate cannot be read, is the CA Secret mounted at %s? %w", d.path, err)
	}
	key, err := os.ReadFile(filepath.Join(directory, keyFile))
	if err != nil {
		return nil, fmt.Errorf("the root key cannot be read, is the CA Secret mounted at %s? %w", d.path, err)
	}
	root, err := ParseRoot(cert, key, d.now())
	if err != nil {
		return nil, fmt.Errorf("the root in %s is not usable: %w", d.path, err)
	}
	d.cert, d.key = cert, key
	return root, nil
}

// Watch calls changed with every new root until ctx ends. It polls, because file notifications do not work on all
// mounts and a root changes rarely. An unusable root is reported to failed once for each reason, and the last
// usable one stays active.
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

// poll loads the root once and reports a change or a new error.
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
