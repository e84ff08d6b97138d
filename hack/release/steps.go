package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/images/lock"
	"github.com/openservicemesh/osm-operator/hack/internal/files"
	"github.com/openservicemesh/osm-operator/hack/internal/recorded"
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

// imagePlatforms are those of released images.
const imagePlatforms = "linux/amd64,linux/arm64"

// buildImages builds an image index of each image that the installation manifest refers to.
func (r *release) buildImages(ctx context.Context) error {
	manifest, err := os.ReadFile(filepath.Join(r.Root, "dist", "install.yaml"))
	if err != nil {
		return err
	}
	folder := filepath.Join(r.folder, "images")
	arguments := append([]string{"run", "./images", "-o", folder, "-platforms", imagePlatforms}, lock.Names(manifest)...)
	if err := runVisibly(ctx, filepath.Join(r.Root, "hack"), "go", arguments...); err != nil {
		return err
	}
	r.images, err = lock.Read(folder)
	return err
}

// buildCommandLine builds the archives of the command line.
func (r *release) buildCommandLine(ctx context.Context) error {
	arguments := []string{"run", "./releasecli", "-platforms", r.platforms}
	if r.Changed != "" {
		arguments = append(arguments, "-dirty")
	}
	return runVisibly(ctx, filepath.Join(r.Root, "hack"), "go", arguments...)
}

// earlier returns the last version that was recorded before this one, and its commit.
func (r *release) earlier() (version, commit string, err error) {
	versions, err := recorded.Versions(r.Root)
	if err != nil || len(versions) == 0 {
		return "", "", err
	}
	version = versions[len(versions)-1]
	commit, _, err = recorded.Commit(r.Root, version)
	return version, commit, err
}

// programOf returns the program in an archive of the command line.
func programOf(archive string) ([]byte, error) {
	if strings.HasSuffix(archive, ".zip") {
		return zippedProgram(archive)
	}
	file, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	for r := tar.NewReader(unzipped); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it does not contain the program osm")
		}
		if err != nil {
			return nil, err
		}
		if header.Name == "osm" {
			return io.ReadAll(r)
		}
	}
}

func zippedProgram(archive string) ([]byte, error) {
	zipped, err := zip.OpenReader(archive)
	if err != nil {
		return nil, err
	}
	defer func() { _ = zipped.Close() }()
	file, err := zipped.Open("osm.exe")
	if err != nil {
		return nil, fmt.Errorf("it does not contain the program osm.exe: %w", err)
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(file)
}

// record records the manifests of the version with the digests of the released images, the list of these images, and
// the definitions, unless that was done.
func (r *release) record(ctx context.Context) error {
	if _, isRecorded, err := recorded.Commit(r.Root, r.Version); err != nil || isRecorded {
		return err
	}
	if err := recordDefinitions(r.Root, r.Version); err != nil {
		return err
	}
	list := filepath.Join(r.folder, "images", lock.File)
	if err := runVisibly(ctx, r.Root, "go", "run", "./internal/packaging/freeze", "-version", r.Version, "-commit", r.Commit, "-images", list); err != nil {
		return err
	}
	return lock.WriteFile(recorded.Images(r.Root, r.Version), digestsOf(r.images))
}

// digestsOf returns the images without what only the folder of their archives needs.
func digestsOf(images lock.Images) lock.Images {
	digests := lock.Images{}
	for name, image := range images {
		digests[name] = lock.Image{Reference: image.Reference, Digest: image.Digest, Platforms: image.Platforms}
	}
	return digests
}

// recordDefinitions copies the definitions, because tests compare later versions with them.
func recordDefinitions(root, version string) error {
	definitions := filepath.Join(root, "config", "crd")
	folder := filepath.Join(definitions, "testdata", version)
	return errors.Join(
		files.Copy(filepath.Join(definitions, "bases", "*.yaml"), folder),
		files.Copy(filepath.Join(definitions, "smi", "*.yaml"), folder),
	)
}
