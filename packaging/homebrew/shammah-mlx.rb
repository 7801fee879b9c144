# A Homebrew formula for a tap of your own: put the address of your copy for OWNER, then
# brew install --HEAD YOU/tap/shammah-mlx (it follows the branch main; there is no release to name yet)
#
# It installs the package and its dependencies into one virtual environment, with wheels only, since MLX cannot be built
# from source in a minute. homebrew-core wants every dependency as a resource of its own; a tap does not.
# It was never run on a Mac so far.
class ShammahMlx < Formula
  desc "Local-first assistant that asks Claude when it must, and learns from every answer"
  homepage "https://github.com/OWNER/shammah-mlx"
  license "Apache-2.0"
  head "https://github.com/OWNER/shammah-mlx.git", branch: "main"

  depends_on arch: :arm64
  depends_on macos: :sonoma
  depends_on "python@3.13"

  def install
    system "python3.13", "-m", "venv", libexec
    system libexec/"bin/python", "-m", "pip", "install", "--only-binary=:all:", "--no-binary=shammah-mlx", buildpath
    bin.install_symlink libexec/"bin/shammah"
    generate_completions_from_executable(bin/"shammah", "completion")
  end

  def caveats
    <<~EOS
      Fetch the pretrained weights once (190 MB), then store your key:
        shammah setup
        shammah key set
    EOS
  end

  test do
    assert_match "shammah, version", shell_output("#{bin}/shammah --version")
  end
end
