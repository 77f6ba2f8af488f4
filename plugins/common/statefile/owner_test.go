package statefile

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/influxdata/telegraf/testutil"
	"github.com/stretchr/testify/require"
)

// nobody is a user that is not root.
const nobody = 65534

// openVariable makes the test binary open the state file that it names, print what it restores, and save something.
const openVariable = "STATEFILE_TEST_OPEN"

func TestMain(m *testing.M) {
	if path := os.Getenv(openVariable); path != "" {
		useFile(path)
	}
	os.Exit(m.Run())
}

func useFile(path string) {
	f, err := Open(path)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var log testutil.CaptureLogger
	restore(f, &log, func(m *memory) error {
		fmt.Print(m.Names)
		return nil
	})
	fmt.Print(log.Errors())
	err = f.Save(memory{[]string{"another"}})
	f.Close()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// folderOfNobody returns a folder of another user, in which that user can run this program, too.
func folderOfNobody(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files to another user")
	}
	folder := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(folder), 0o755))
	require.NoError(t, os.Chown(folder, nobody, nobody))
	return folder
}

// openAsNobody opens a state file as another user.
func openAsNobody(t *testing.T, path string) (output string, err error) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.Chmod(filepath.Dir(program), 0o755))
	self, err := os.Executable()
	require.NoError(t, err)
	from, err := os.Open(self)
	require.NoError(t, err)
	defer from.Close()
	to, err := os.OpenFile(program, os.O_CREATE|os.O_WRONLY, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(to, from)
	require.NoError(t, err)
	require.NoError(t, to.Close())
	cmd := exec.Command(program)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), openVariable+"="+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// TestRootRunLeavesTheFilesToTheOwnerOfTheFolder runs once as root where another user's process has its state.
func TestRootRunLeavesTheFilesToTheOwnerOfTheFolder(t *testing.T) {
	path := filepath.Join(folderOfNobody(t), "state.json")
	f, err := Open(path)
	require.NoError(t, err)
	require.NoError(t, f.Save(memory{[]string{"kept"}}))
	f.Close()
	for _, file := range []string{path, path + ".lock"} {
		info, err := os.Stat(file)
		require.NoError(t, err)
		uid, gid := ownerOf(info)
		require.Equal(t, []int{nobody, nobody}, []int{uid, gid}, file)
	}
	output, err := openAsNobody(t, path)
	require.NoError(t, err, output)
	require.Equal(t, "[kept][]", output)

	f, err = Open(path)
	require.NoError(t, err)
	defer f.Close()
	state, found := restored(f)
	require.True(t, found)
	require.Equal(t, memory{[]string{"another"}}, state)
}

// TestRootGivesAJournalAway writes a journal as root where another user's process has its state. A link in place of the
// next generation is not followed.
func TestRootGivesAJournalAway(t *testing.T) {
	path := filepath.Join(folderOfNobody(t), "state.json")
	ofRoot := filepath.Join(t.TempDir(), "of root")
	require.NoError(t, os.WriteFile(ofRoot, []byte("kept"), 0o600))
	require.NoError(t, os.Symlink(ofRoot, path+nextSuffix))
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	j, err := f.Journal(func([]byte) error { return nil })
	require.NoError(t, err)
	defer j.Close()
	require.NoError(t, j.Append([]byte("line\n")))
	for _, file := range []string{path, path + nextSuffix} {
		info, err := os.Lstat(file)
		require.NoError(t, err)
		uid, gid := ownerOf(info)
		require.Equal(t, []int{nobody, nobody}, []int{uid, gid}, file)
	}
	content, err := os.ReadFile(ofRoot)
	require.NoError(t, err)
	require.Equal(t, "kept", string(content))
}

// TestFilesOfAnotherUser has files that root made before it gave them away. They are left as they are until then.
func TestFilesOfAnotherUser(t *testing.T) {
	for _, names := range [][]string{{"state.json"}, {"state.json.lock"}, {"state.json", "state.json.lock"}} {
		path := filepath.Join(folderOfNobody(t), "state.json")
		var quoted []string
		for _, name := range names {
			file := filepath.Join(filepath.Dir(path), name)
			require.NoError(t, os.WriteFile(file, []byte(`{"names":["kept"]}`), 0o600))
			quoted = append(quoted, fmt.Sprintf("%q", file))
		}
		output, err := openAsNobody(t, path)
		require.Error(t, err)
		require.Contains(t, output, "; it belongs to root, and this process runs as "+userName(nobody)+": run chown "+userName(nobody)+" "+
			strings.Join(quoted, " "))
		require.NotContains(t, filesIn(t, path), "state.json.damaged")

		f, err := Open(path)
		require.NoError(t, err)
		require.NoError(t, f.Save(memory{[]string{"kept"}}))
		f.Close()
		output, err = openAsNobody(t, path)
		require.NoError(t, err, output)
		require.Equal(t, "[kept][]", output, "%v", names)
	}
}

// TestNextGenerationOfAnotherUser has root's lines behind a file that can be read. They are not forgotten.
func TestNextGenerationOfAnotherUser(t *testing.T) {
	path := filepath.Join(folderOfNobody(t), "state.json")
	require.NoError(t, os.WriteFile(path+nextSuffix, nil, 0o600))
	output, err := openAsNobody(t, path)
	require.Error(t, err)
	require.Contains(t, output, fmt.Sprintf("run chown %s %q", userName(nobody), path+nextSuffix))
}

func TestFolderOfAnotherUser(t *testing.T) {
	folder := folderOfNobody(t)
	require.NoError(t, os.Chown(folder, 0, 0))
	output, err := openAsNobody(t, filepath.Join(folder, "state.json"))
	require.Error(t, err)
	require.Contains(t, output, fmt.Sprintf("; the folder %q belongs to root, and this process runs as %s: let %[2]s write there",
		folder, userName(nobody)))
}

// TestRootGivesNothingElseAway has links to root's files in the place of the lock.
func TestRootGivesNothingElseAway(t *testing.T) {
	for name, link := range map[string]func(string, string) error{"symbolic": os.Symlink, "hard": os.Link} {
		folder := folderOfNobody(t)
		precious := filepath.Join(filepath.Dir(folder), "precious")
		require.NoError(t, os.WriteFile(precious, nil, 0o600))
		path := filepath.Join(folder, "state.json")
		require.NoError(t, link(precious, path+".lock"))
		if f, err := Open(path); err == nil {
			f.Close()
		}
		info, err := os.Stat(precious)
		require.NoError(t, err)
		uid, _ := ownerOf(info)
		require.Zero(t, uid, name)
	}
}
