package certificate

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"
)

// Directory is a mounted CA Secret that can change while the process runs.
type Directory struct {
	path string
	now  func() time.Time
	// content is what the last successful Load read, by file.
	content   map[string][]byte
	lastError string
}

// OpenDirectory returns the Directory with the keys of a CA Secret in path. now is the clock.
func OpenDirectory(path string, now func() time.Time) *Directory {
	return &Directory{path: path, now: now}
}

// Load reads the authority.
func (d *Directory) Load() (*Root, error) {
	// The kubelet updates a mounted Secret atomically by replacing the symlink ..data. It is resolved once, so that both
	// files are of the same version.
	directory := d.path
	if data, err := filepath.EvalSymlinks(filepath.Join(d.path, "..data")); err == nil {
		directory = data
	}
	content := map[string][]byte{}
	for _, name := range []string{TrustKey, SignerKey, ChainKey, DomainsKey, ExternalIssuerKey} {
		text, err := os.ReadFile(filepath.Join(directory, name))
		isOptional := name != TrustKey && name != SignerKey
		if err != nil && (!isOptional || !os.IsNotExist(err)) {
			return nil, fmt.Errorf("the certificate authority cannot be read, is the CA Secret mounted at %s? %w", d.path, err)
		}
		content[name] = text
	}
	root, err := Decode(content)
	if err == nil {
		err = root.Valid(d.now())
	}
	if err != nil {
		return nil, fmt.Errorf("the root in %s is not usable: %w", d.path, err)
	}
	d.content = content
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
	before := d.content
	root, err := d.Load()
	switch {
	case err != nil && err.Error() != d.lastError:
		d.lastError = err.Error()
		failed(err)
	case err == nil:
		d.lastError = ""
		if !maps.EqualFunc(before, d.content, bytes.Equal) {
			changed(root)
		}
	}
}
