package imageload

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Containerd is the running engine.
type Containerd struct {
	// Ctr is the path of containerd's command line client.
	Ctr string
	// Socket is where containerd listens.
	Socket string
}

// Image is the two references under which a loaded image is found.
type Image struct {
	// Tagged ends in :TAG, Canonical in @DIGEST; both name the registry host.
	Tagged, Canonical string
}

// Result says what became of one archive.
type Result struct {
	// Images are those in the archive.
	Images []Image
	// Present is true if containerd had them all, under all names, and nothing was copied.
	Present bool
}

// Inventory is the digest of every image in containerd, by reference.
type Inventory map[string]string

// Load imports one archive unless all its images are in the inventory under the same names with the same digests. A tag that
// names another image so far is moved. With a reference, which may have a digest, the image of the archive is found under that one,
// too, whatever its own digest is.
func (c Containerd) Load(ctx context.Context, have Inventory, file string, references ...string) (Result, error) {
	images, err := readIndex(file)
	if err != nil {
		return Result{}, err
	}
	if images, err = also(images, references); err != nil {
		return Result{}, fmt.Errorf("%s: %w", file, err)
	}
	result := Result{Present: true}
	for _, img := range images {
		result.Images = append(result.Images, Image{Tagged: img.tagged, Canonical: img.canonical})
		digest := img.descriptor.Digest.String()
		result.Present = result.Present && have[img.tagged] == digest && have[img.canonical] == digest
	}
	if result.Present {
		return result, nil
	}
	if err := c.importArchive(ctx, file, images); err != nil {
		return Result{}, fmt.Errorf("cannot load %s: %w", file, err)
	}
	return result, nil
}

// importArchive streams the archive, with every image named by tag and by digest, into containerd, which unpacks it as well.
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
		return fmt.Errorf("containerd refused it: %w: %s", err, strings.TrimSpace(out.String()))
	}
	return copied
}

// Inventory asks containerd for its images.
func (c Containerd) Inventory(ctx context.Context) (Inventory, error) {
	out, err := c.command(ctx, "images", "list").Output()
	if err != nil {
		return nil, fmt.Errorf("containerd does not answer at %s; is the cluster up? %w", c.Socket, err)
	}
	return parseList(string(out)), nil
}

// parseList reads the table whose columns are name, type, digest and more.
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
