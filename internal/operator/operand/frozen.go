package operand

import (
	"bytes"
	"fmt"
	"io/fs"
	"regexp"

	"sigs.k8s.io/yaml"
)

// CommitFile is the file in the folder of a frozen version with the commit that it was built from.
const CommitFile = "COMMIT"

// digest matches the digest of an image reference.
var digest = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)

// commit matches a full git commit.
var commit = regexp.MustCompile(`^[0-9a-f]{40}$`)

// Freeze returns the files of a frozen version by name: the current manifests with the given images, and the commit. Each image needs
// a digest, so that the version never changes.
func Freeze(images Images, builtFrom string) (map[string][]byte, error) {
	for _, reference := range []string{images.Controller, images.Injector, images.Init, images.Sidecar} {
		if !digest.MatchString(reference) {
			return nil, fmt.Errorf("the image %q has no digest: a frozen version needs immutable images, such as name:tag@sha256:<hash>", reference)
		}
	}
	if !commit.MatchString(builtFrom) {
		return nil, fmt.Errorf("%q is not a commit: give its 40 hexadecimal digits", builtFrom)
	}
	files, err := fs.Sub(manifests, "manifests")
	if err != nil {
		return nil, fmt.Errorf("the embedded manifests cannot be opened: %w", err)
	}
	objects, err := readFolder(files, currentFolder)
	if err != nil {
		return nil, err
	}
	frozen := map[string][]byte{CommitFile: []byte(builtFrom + "\n")}
	for name, documents := range objects {
		var text bytes.Buffer
		for i, object := range documents {
			if object.GetKind() == "Deployment" {
				if err := editDeployment(object, func(d *deployment) error { setImages(d, images); return nil }); err != nil {
					return nil, fmt.Errorf("the Deployment %s cannot be frozen: %w", object.GetName(), err)
				}
			}
			document, err := yaml.Marshal(object.Object)
			if err != nil {
				return nil, fmt.Errorf("%s %s cannot be written: %w", object.GetKind(), object.GetName(), err)
			}
			if i > 0 {
				text.WriteString("---\n")
			}
			text.Write(document)
		}
		frozen[name] = text.Bytes()
	}
	return frozen, nil
}

// setImages sets the images of all containers of a Deployment.
func setImages(d *deployment, images Images) {
	for i := range d.Spec.Template.Spec.Containers {
		fillImages(&d.Spec.Template.Spec.Containers[i], images)
	}
}
