package imageload

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"

	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
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

// Annotations with the name of an image in an archive: containerd's has the full reference, OCI's by convention only
// the tag.
const (
	containerdName = "io.containerd.image.name"
	ociRefName     = "org.opencontainers.image.ref.name"
)

// signatureKinds are the marks of entries that are about an image, and no image. Archives of releases have them.
var signatureKinds = map[string]bool{"dev.cosignproject.cosign/sigs": true, "dev.cosignproject.cosign/atts": true}

// indexFile is the entry of an OCI archive that lists its images.
const indexFile = "index.json"

// image is one image of an archive.
type image struct {
	// tagged is the full name with the tag, canonical is name@digest.
	tagged, canonical string
	descriptor        v1.Descriptor
}

// readIndex returns the images of an archive.
func readIndex(file string) ([]image, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s has no %s, so it is not an OCI image archive", file, indexFile)
		}
		if err != nil {
			return nil, fmt.Errorf("%s is not a tar file: %w", file, err)
		}
		if path.Clean(header.Name) != indexFile {
			continue
		}
		images, err := parseIndex(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		return images, nil
	}
}

func parseIndex(r io.Reader) ([]image, error) {
	var index v1.IndexManifest
	if err := json.NewDecoder(r).Decode(&index); err != nil {
		return nil, fmt.Errorf("its %s cannot be read: %w", indexFile, err)
	}
	var images []image
	for _, d := range index.Manifests {
		if signatureKinds[d.Annotations["kind"]] {
			continue
		}
		img, err := newImage(d)
		if err != nil {
			return nil, err
		}
		images = append(images, img)
	}
	if len(images) == 0 {
		return nil, errors.New("it lists no image")
	}
	return images, nil
}

func newImage(d v1.Descriptor) (image, error) {
	name := d.Annotations[containerdName]
	if name == "" {
		name = d.Annotations[ociRefName]
	}
	named, err := reference.ParseDockerRef(name)
	if err != nil {
		return image{}, fmt.Errorf("the image %s is named %q, which is not a reference: set the annotation %s", d.Digest, name, containerdName)
	}
	return image{
		tagged:     named.String(),
		canonical:  reference.TrimNamed(named).String() + "@" + d.Digest.String(),
		descriptor: d,
	}, nil
}

// addReferences adds entries with further references to the only image of an archive. A reference with a digest is
// added under the digest, because the kubelet looks it up that way; others are added under the tag.
func addReferences(images []image, references []string) ([]image, error) {
	if len(references) > 0 && len(images) != 1 {
		return nil, fmt.Errorf("it lists %d images; only a single image can have further references", len(images))
	}
	for _, text := range references {
		named, err := reference.ParseDockerRef(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not a reference: %w", text, err)
		}
		more := images[0]
		if digested, ok := named.(reference.Digested); ok {
			more.canonical = reference.TrimNamed(named).String() + "@" + digested.Digest().String()
		} else {
			more.tagged = named.String()
		}
		if more.canonical != images[0].canonical || more.tagged != images[0].tagged {
			images = append(images, more)
		}
	}
	return images, nil
}

// renderIndex lists every image under two names. containerd makes one entry for each name, and the kubelet looks a
// reference up exactly as the pod spells it.
func renderIndex(images []image) ([]byte, error) {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: "application/vnd.oci.image.index.v1+json"}
	for _, img := range images {
		for _, name := range []string{img.tagged, img.canonical} {
			d := img.descriptor
			d.Annotations = map[string]string{containerdName: name}
			index.Manifests = append(index.Manifests, d)
		}
	}
	return json.Marshal(index)
}

// rewrite copies an archive and replaces its index.
func rewrite(w io.Writer, r io.Reader, index []byte) error {
	in, out := tar.NewReader(r), tar.NewWriter(w)
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out.Close()
		}
		if err != nil {
			return err
		}
		body := io.Reader(in)
		if path.Clean(header.Name) == indexFile {
			header.Size = int64(len(index))
			body = bytes.NewReader(index)
		}
		if err := out.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.Copy(out, body); err != nil {
			return err
		}
	}
}
