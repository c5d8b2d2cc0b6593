package rankhammer.dev;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermissions;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.DelegateToFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * A NodeManager's local files. Published jars come without Hadoop's native library, and without that a process is
 * started to set the rights of each file that a node unpacks: about a minute for a Python environment.
 */
public final class NodeFs extends DelegateToFileSystem {
  /** Called by Hadoop, as for every filesystem. */
  public NodeFs(URI uri, Configuration conf) throws IOException, URISyntaxException {
    super(uri, new Local(), conf, "file", false);
  }

  @Override
  public int getUriDefaultPort() {
    return -1;
  }

  @Override
  public boolean isValidName(String name) {
    return true;
  }

  private static final class Local extends RawLocalFileSystem {
    @Override
    public void setPermission(Path path, FsPermission rights) throws IOException {
      String text = rights.getUserAction().SYMBOL + rights.getGroupAction().SYMBOL + rights.getOtherAction().SYMBOL;
      Files.setPosixFilePermissions(pathToFile(path).toPath(), PosixFilePermissions.fromString(text));
    }
  }
}
