package lab

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// envoyProgram is the path of Envoy in its image.
const envoyProgram = "usr/local/bin/envoy"

// PinnedReferences returns the references with digests from a list of built images, by the names of the images.
func PinnedReferences(list string) (map[string]string, error) {
	text, err := os.ReadFile(list)
	if err != nil {
		return nil, err
	}
	var images map[string]struct{ Reference, Digest string }
	if err := json.Unmarshal(text, &images); err != nil {
		return nil, fmt.Errorf("%s is not a list of images: %w", list, err)
	}
	references := map[string]string{}
	for name, image := range images {
		references[name] = image.Reference + "@" + image.Digest
	}
	return references, nil
}

// PackEnvoy writes an archive of the sidecar's image with another program as Envoy into a folder, and returns the path and the pinned reference of the image.
func (c *Cluster) PackEnvoy(folder, tag string, change func(program []byte) ([]byte, error)) (archive, reference string, err error) {
	content, err := os.ReadFile(c.Repository.Path("bin", "images", "envoy.tar"))
	if err != nil {
		return "", "", err
	}
	packed := envoyImage{}
	if packed.files, err = readTar(content); err != nil {
		return "", "", err
	}
	reference = "docker.io/openservicemesh/envoy:" + tag
	if err := errors.Join(packed.read(), packed.change(change)); err != nil {
		return "", "", fmt.Errorf("change the image of the sidecar: %w", err)
	}
	pinned, err := packed.name(reference, tag)
	if err != nil {
		return "", "", err
	}
	if content, err = writeTar(packed.files); err != nil {
		return "", "", err
	}
	archive = filepath.Join(folder, "envoy.tar")
	return archive, pinned, os.WriteFile(archive, content, 0o600)
}

// envoyImage is an OCI archive with one image.
type envoyImage struct {
	files                   map[string][]byte
	index, manifest, config map[string]any
	// entry describes the manifest, and described the configuration.
	entry, described map[string]any
}

func (i *envoyImage) read() error {
	if err := json.Unmarshal(i.files["index.json"], &i.index); err != nil {
		return err
	}
	i.entry = i.index["manifests"].([]any)[0].(map[string]any)
	if err := json.Unmarshal(i.files[blob(i.entry)], &i.manifest); err != nil {
		return err
	}
	i.described = i.manifest["config"].(map[string]any)
	return json.Unmarshal(i.files[blob(i.described)], &i.config)
}

// change replaces Envoy in its layer.
func (i *envoyImage) change(change func([]byte) ([]byte, error)) error {
	diffs := i.config["rootfs"].(map[string]any)["diff_ids"].([]any)
	for at, each := range i.manifest["layers"].([]any) {
		layer := each.(map[string]any)
		content, err := unzip(i.files[blob(layer)])
		if err != nil {
			return err
		}
		files, err := readTar(content)
		if err != nil {
			return err
		}
		if files[envoyProgram] == nil {
			continue
		}
		if content, err = changeFile(content, envoyProgram, change); err != nil {
			return err
		}
		packed, err := zip(content)
		if err != nil {
			return err
		}
		diffs[at] = digest(content)
		i.replace(layer, packed)
	}
	return nil
}

// name names the image, after its parts have changed, and returns its pinned reference.
func (i *envoyImage) name(reference, tag string) (string, error) {
	for _, part := range []struct{ descriptor, content map[string]any }{{i.described, i.config}, {i.entry, i.manifest}} {
		text, err := json.Marshal(part.content)
		if err != nil {
			return "", err
		}
		i.replace(part.descriptor, text)
	}
	i.entry["annotations"] = map[string]string{"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": tag}
	text, err := json.Marshal(i.index)
	i.files["index.json"] = text
	return reference + "@" + i.entry["digest"].(string), err
}

func (i *envoyImage) replace(descriptor map[string]any, content []byte) {
	delete(i.files, blob(descriptor))
	descriptor["digest"], descriptor["size"] = digest(content), len(content)
	i.files[blob(descriptor)] = content
}

// blob returns the path of what a descriptor describes.
func blob(descriptor map[string]any) string {
	return "blobs/sha256/" + strings.TrimPrefix(descriptor["digest"].(string), "sha256:")
}

// PatchEnvoy gives Envoy another build ID, as a patch release has.
func PatchEnvoy(program []byte) ([]byte, error) {
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		return nil, err
	}
	section := file.Section(".note.gnu.build-id")
	if section == nil {
		return nil, errors.New("Envoy has no build ID") //nolint:staticcheck // a name
	}
	note, err := section.Data()
	if err != nil {
		return nil, err
	}
	const header = 16
	program[bytes.Index(program, note[header:])] ^= 1
	return program, nil
}
