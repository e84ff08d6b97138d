package launch

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
)

// releaseSuffix is the suffix of an optional file next to the program. Images with the same program have different files.
const releaseSuffix = ".release"

// buildOf identifies the Envoy of an image: its program, and what the image says about its release. A slot that gets a new release takes over also if
// the program is the same, so that the image of the slot that serves is the one that was asked for.
func buildOf(program string) (string, error) {
	build, err := programOf(program)
	if err != nil {
		return "", err
	}
	release, err := os.ReadFile(program + releaseSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return build, nil
	}
	hash := sha256.Sum256(append([]byte(build+"\n"), release...))
	return hex.EncodeToString(hash[:]), err
}

// programOf identifies a program by the build ID that its linker wrote, and without one by its content.
func programOf(program string) (string, error) {
	file, err := elf.Open(program)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	if section := file.Section(".note.gnu.build-id"); section != nil {
		const header = 16 // the lengths and the type of the note, and the name GNU
		if note, err := section.Data(); err == nil && len(note) > header {
			return hex.EncodeToString(note[header:]), nil
		}
	}
	return digestOf(program)
}

func digestOf(program string) (digest string, err error) {
	file, err := os.Open(program)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	hash := sha256.New()
	_, err = io.Copy(hash, file)
	return hex.EncodeToString(hash.Sum(nil)), err
}

// hotRestartOf asks an Envoy for its version of the protocol of hot restart.
func hotRestartOf(program string) (string, error) {
	output, err := exec.Command(program, "--hot-restart-version").CombinedOutput()
	version := strings.TrimSpace(string(output))
	if err == nil && len(strings.Fields(version)) != 1 {
		err = errors.New("it printed no version")
	}
	if err != nil {
		return "", fmt.Errorf("the hot restart version of %s is unknown: %w", program, err)
	}
	return version, nil
}
