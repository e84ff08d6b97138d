package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

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
