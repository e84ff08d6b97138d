package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/openservicemesh/osm-operator/hack/images/lock"
	"github.com/openservicemesh/osm-operator/hack/internal/recorded"
)

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
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, group := range []string{"bases", "smi"} {
		files, err := filepath.Glob(filepath.Join(definitions, group, "*.yaml"))
		if err != nil {
			return err
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), content, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
