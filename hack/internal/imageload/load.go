package imageload

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Containerd is a running containerd.
type Containerd struct {
	// Ctr is the path of containerd's command line client.
	Ctr string
	// Socket is the socket of containerd.
	Socket string
}

// Image holds the two references of a loaded image.
type Image struct {
	// Tagged ends in :TAG, Canonical in @DIGEST; both include the registry host.
	Tagged, Canonical string
}

// Result is the result of loading one archive.
type Result struct {
	// Images are the images of the archive.
	Images []Image
	// Present is true if containerd already had all images under all names.
	Present bool
}

// Inventory maps references in containerd to image digests.
type Inventory map[string]string

// Load imports one archive, unless the inventory has all its images under the same names and digests. An existing tag
// is moved to the new image. The image is also stored under the given references, even if their digest differs from its
// own.
func (c Containerd) Load(ctx context.Context, inventory Inventory, file string, references ...string) (Result, error) {
	images, err := readIndex(file)
	if err != nil {
		return Result{}, err
	}
	if images, err = addReferences(images, references); err != nil {
		return Result{}, fmt.Errorf("%s: %w", file, err)
	}
	result := Result{Present: true}
	for _, img := range images {
		result.Images = append(result.Images, Image{Tagged: img.tagged, Canonical: img.canonical})
		digest := img.descriptor.Digest.String()
		result.Present = result.Present && inventory[img.tagged] == digest && inventory[img.canonical] == digest
	}
	if result.Present {
		return result, nil
	}
	if err := c.importArchive(ctx, file, images); err != nil {
		return Result{}, fmt.Errorf("cannot load %s: %w", file, err)
	}
	return result, nil
}

// importArchive streams the archive into containerd, which also unpacks it. Every image is named by tag and by digest.
func (c Containerd) importArchive(ctx context.Context, file string, images []image) error {
	index, err := renderIndex(images)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := c.command(ctx, "images", "import", "-")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	copied := rewrite(in, f, index)
	in.Close()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("containerd rejected it: %w: %s", err, strings.TrimSpace(out.String()))
	}
	return copied
}

// Inventory lists the images in containerd.
func (c Containerd) Inventory(ctx context.Context) (Inventory, error) {
	out, err := c.command(ctx, "images", "list").Output()
	if err != nil {
		return nil, fmt.Errorf("containerd does not respond at %s, check that the cluster is up: %w", c.Socket, err)
	}
	return parseList(string(out)), nil
}

// parseList parses a table with the columns name, type, digest and more.
func parseList(table string) Inventory {
	digests := Inventory{}
	for line := range strings.Lines(table) {
		if fields := strings.Fields(line); len(fields) > 2 && strings.HasPrefix(fields[2], "sha256:") {
			digests[fields[0]] = fields[2]
		}
	}
	return digests
}

func (c Containerd) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, c.Ctr, append([]string{"--address", c.Socket, "--namespace", "k8s.io"}, args...)...)
}
