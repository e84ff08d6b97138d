package operand

import (
	"bytes"
	"fmt"
	"io/fs"
	"regexp"

	"sigs.k8s.io/yaml"
)

// CommitFile is the file beside the manifests of a frozen version that names the commit they were made from.
const CommitFile = "COMMIT"

// digest is the end of an image reference that always means the same image.
var digest = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)

// commit is a full git commit.
var commit = regexp.MustCompile(`^[0-9a-f]{40}$`)

// Freeze returns the files of a frozen version, by name: the current manifests with the given images, and the commit. Each image needs
// a digest, so that the version can be installed unchanged for ever.
func Freeze(images Images, madeFrom string) (map[string][]byte, error) {
	for _, reference := range []string{images.Controller, images.Injector, images.Init, images.Sidecar} {
		if !digest.MatchString(reference) {
			return nil, fmt.Errorf("the image %q has no digest: a version is written down with images that cannot change, such as name:tag@sha256:<hash>", reference)
		}
	}
	if !commit.MatchString(madeFrom) {
		return nil, fmt.Errorf("%q is not a commit: give its 40 hexadecimal digits", madeFrom)
	}
	files, err := fs.Sub(manifests, "manifests")
	if err != nil {
		return nil, fmt.Errorf("the embedded manifests cannot be opened: %w", err)
	}
	objects, err := readFolder(files, currentFolder)
	if err != nil {
		return nil, err
	}
	frozen := map[string][]byte{CommitFile: []byte(madeFrom + "\n")}
	for name, documents := range objects {
		var text bytes.Buffer
		for i, object := range documents {
			if object.GetKind() == "Deployment" {
				if err := editDeployment(object, func(d *deployment) error { pin(d, images); return nil }); err != nil {
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

// pin writes images into all containers of a Deployment.
func pin(d *deployment, images Images) {
	for i := range d.Spec.Template.Spec.Containers {
		fillImages(&d.Spec.Template.Spec.Containers[i], images)
	}
}
