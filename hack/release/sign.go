package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/images/lock"
	"github.com/openservicemesh/osm-operator/hack/release/layouts"
	"github.com/openservicemesh/osm-operator/hack/release/notes"
	"github.com/openservicemesh/osm-operator/hack/release/provenance"
	"github.com/openservicemesh/osm-operator/hack/release/sbom"
)

// Files about the other files.
const (
	sumsFile       = "SHA256SUMS"
	provenanceFile = "provenance.json"
	envelopeFile   = "provenance.dsse.json"
)

// writeNotes writes the release notes.
func (r *release) writeNotes(ctx context.Context) error {
	earlier, commit, err := r.earlier()
	if err != nil || earlier == "" {
		return err
	}
	log, err := r.Git(ctx, "log", "--no-merges", "--format=%h %s", commit+"..HEAD")
	if err != nil {
		return fmt.Errorf("cannot list the commits since %s; fetch the whole history: %w", earlier, err)
	}
	return r.write("NOTES.md", []byte(notes.Markdown(r.Version, earlier, notes.Parse(log))))
}

// build describes this run.
func (r *release) build() provenance.Build {
	return provenance.Build{Builder: r.builder, Version: r.Version, Commit: r.Commit, Go: runtime.Version()}
}

// attachSignatures adds signatures and signed provenance to the archives of the images.
func (r *release) attachSignatures(context.Context) error {
	if r.signer == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(r.images)) {
		if err := r.attachSignature(r.images[name]); err != nil {
			return fmt.Errorf("cannot sign the image %s: %w", name, err)
		}
	}
	return nil
}

func (r *release) attachSignature(built lock.Image) error {
	layout, remove, err := r.unpack(built)
	if err != nil {
		return err
	}
	defer remove()
	repository, _, _ := strings.Cut(built.Reference, ":v")
	signature, err := r.signer.Image(repository, layout.Digest)
	if err != nil {
		return err
	}
	inputs, err := inputsOf(built)
	if err != nil {
		return err
	}
	statement, err := provenance.Statement(r.build(), []provenance.Artifact{{Name: repository, SHA256: layout.Digest.Hex}}, inputs)
	if err != nil {
		return err
	}
	attestation, err := r.signer.Attestation(statement)
	if err != nil {
		return err
	}
	if err := layout.Attach(signature, attestation); err != nil {
		return err
	}
	return layouts.Pack(layout.Folder, r.archive(built))
}

// inputsOf returns the downloaded packages of an image.
func inputsOf(built lock.Image) ([]provenance.Artifact, error) {
	var inputs []provenance.Artifact
	for _, source := range built.Sources {
		component, err := sbom.Downloaded(source.Name, source.Version, source.SHA256, strings.TrimPrefix(source.Platform, "linux/"))
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, provenance.Artifact{Name: component.URL, SHA256: source.SHA256})
	}
	return inputs, nil
}

// writeProvenance writes the provenance of the images and of all files so far.
func (r *release) writeProvenance(context.Context) error {
	subjects, err := hashes(r.folder)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(r.images)) {
		built := r.images[name]
		subjects = append(subjects, provenance.Artifact{Name: built.Reference, SHA256: strings.TrimPrefix(built.Digest, "sha256:")})
	}
	statement, err := provenance.Statement(r.build(), subjects, nil)
	if err != nil {
		return err
	}
	if err := r.write(provenanceFile, statement); err != nil || r.signer == nil {
		return err
	}
	signed, err := r.signer.Envelope(statement)
	if err != nil {
		return err
	}
	return r.write(envelopeFile, signed)
}

// writeSums writes the checksums of all files, in the format of sha256sum, and signs them.
func (r *release) writeSums(context.Context) error {
	files, err := hashes(r.folder)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, file := range files {
		fmt.Fprintf(&sums, "%s  %s\n", file.SHA256, file.Name)
	}
	if err := r.write(sumsFile, []byte(sums.String())); err != nil || r.signer == nil {
		return err
	}
	signature, err := r.signer.Blob([]byte(sums.String()))
	if err != nil {
		return err
	}
	public, err := r.signer.PublicKey()
	if err != nil {
		return err
	}
	if err := r.write(sumsFile+".sig", signature); err != nil {
		return err
	}
	return r.write("cosign.pub", public)
}

// hashes returns the files below a folder with their hashes, sorted by name.
func hashes(folder string) ([]provenance.Artifact, error) {
	var files []provenance.Artifact
	tree := os.DirFS(folder)
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		files = append(files, provenance.Artifact{Name: name, SHA256: hex.EncodeToString(sum[:])})
		return nil
	})
	return files, err
}
