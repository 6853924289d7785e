package exchange

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Bounds of an archive. What is unpacked goes straight to the reader of
// CommerceML: nothing is written under the names that an archive holds.
const (
	maxDirectory = 1 << 20  // bytes read to find out what is inside
	maxEntries   = 1000     // files
	maxRatio     = 300      // of what comes out to what is in, once it is more than freeUnpack
	freeUnpack   = 16 << 20 // bytes
)

var (
	errNoArchive = errors.New("the archive is not whole") // or none at all
	errEntries   = fmt.Errorf("the archive holds more than %d files", maxEntries)
	errDirectory = errors.New("the directory of the archive is too long")
	errEncrypted = errors.New("the archive has a password")
	errNoXML     = errors.New("the archive holds no .xml file")
	errPacked    = errors.New("the archive unpacks to far more than it holds")
	errUnpacked  = errors.New("the file unpacks to more than is allowed")
	errDamaged   = errors.New("the archive is damaged")
)

// entry is one file of an archive.
type entry struct {
	name string // without folders
	file *zip.File
}

// openArchive lists the .xml files of an archive in its order. Errors:
// errNoArchive, or why it is refused.
func openArchive(f *chunks) ([]entry, error) {
	few := &fewBytes{r: f, left: maxDirectory}
	z, err := zip.NewReader(few, f.size)
	switch {
	case few.left < 0:
		return nil, errDirectory
	case err != nil && !errors.Is(err, zip.ErrInsecurePath): // names are not followed
		return nil, errNoArchive
	}
	few.left = 2*f.size + maxDirectory // enough for entries that do not overlap; what comes out is counted, too
	var all []entry
	for _, one := range z.File {
		name := path.Base(strings.ReplaceAll(clean(strings.ToValidUTF8(one.Name, "_")), `\`, "/"))
		if one.FileInfo().IsDir() || !strings.EqualFold(path.Ext(name), ".xml") || len(name) > 200 {
			continue
		}
		if one.Flags&1 != 0 {
			return nil, errEncrypted
		}
		if len(all) == maxEntries {
			return nil, errEntries
		}
		all = append(all, entry{name, one})
	}
	if len(all) == 0 {
		return nil, errNoXML
	}
	return all, nil
}

// fewBytes is a file of which no more than so many bytes are read.
type fewBytes struct {
	r    io.ReaderAt
	left int64
}

func (f *fewBytes) ReadAt(p []byte, off int64) (int, error) {
	if f.left -= int64(len(p)); f.left < 0 {
		return 0, errDirectory
	}
	return f.r.ReadAt(p, off)
}

// unpacking gives what is in an entry, within bounds.
type unpacking struct {
	r    io.Reader
	in   int64  // bytes of the archive that the entry takes
	n    int64  // bytes that came out
	left *int64 // that may come out of the whole archive
}

func (u *unpacking) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.n += int64(n)
	*u.left -= int64(n)
	switch {
	case *u.left < 0:
		return 0, errUnpacked
	case u.n > freeUnpack && u.n/maxRatio > u.in:
		return 0, errPacked
	case err != nil && err != io.EOF:
		return n, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return n, err
}
